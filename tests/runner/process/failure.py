"""A call of a runner that was answered by an error."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """`kind` and `data` as the runner gave them."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.kind = error["kind"]
        self.data = error["data"]
