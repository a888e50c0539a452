"""The rest of a problem, below the line with its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codelocd.render.text import indented


def rest(problem: Mapping[str, Any], margin: str) -> Iterator[str]:
    """Its detail, unless that is the summary again: some problems need no more than one line."""
    if problem["detail"] and problem["detail"].strip() != problem["summary"]:
        yield indented(problem["detail"], margin)
