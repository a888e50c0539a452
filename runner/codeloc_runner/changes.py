"""What a load changes in its process that whatever is imported afterwards may see."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, List

SEARCH_PATH = "sys.path"


class Changes:
    """Since it was made: variables by their names, and `sys.path` by its own."""

    __slots__ = ("_path", "_variables")

    def __init__(self) -> None:
        self._variables = dict(os.environ)
        self._path = list(sys.path)

    def names(self, written: Iterable[str]) -> List[str]:
        """`written`: the variables that were set or deleted, if only for a while."""
        before, now = self._variables, os.environ
        changed = [name for name in sorted(written) if now.get(name) != before.get(name)]
        return changed if sys.path == self._path else [*changed, SEARCH_PATH]
