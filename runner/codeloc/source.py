"""The place in the user's code where a definition was written."""

from __future__ import annotations

import os.path
import sys

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

OWN_PACKAGE = __name__.partition(".")[0]


class Source:
    """An absolute file name and a line, counted from 1."""

    __slots__ = ("file", "line")

    def __init__(self, file: str, line: int) -> None:
        self.file = os.path.abspath(file)
        self.line = line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def item(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line}


def caller() -> Source:
    """The nearest line that is not of this package."""
    frame: FrameType = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(OWN_PACKAGE + "."):
        frame = frame.f_back
    return Source(frame.f_code.co_filename, frame.f_lineno)
