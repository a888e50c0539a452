"""Writes lines on a terminal that are replaced by the next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from codelocd.cli import output
from codelocd.render.text import Screen, columns, shortened

CLEAR = "\r\x1b[K"

UP_AND_CLEAR = "\x1b[{}A\r\x1b[J"
"""Cursor up so many lines, to the first column, erase what follows (ECMA-48 CUU, ED)."""


class LiveLine:
    """Shows the newest text, line by line where there is no terminal; wiped off at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = output.is_live(stream)

    def show(self, text: str) -> None:
        if not self._live:
            self._stream.write(text + "\n")
            return
        width = os.get_terminal_size(self._stream.fileno()).columns
        if columns(text) < width or width == 0:
            self._stream.write(CLEAR + text)
            self._stream.flush()

    @property
    def is_live(self) -> bool:
        """There is a terminal to show it on."""
        return self._live

    def clear(self) -> None:
        """Nothing is shown, until something is again."""
        if self._live:
            self._stream.write(CLEAR)
            self._stream.flush()

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()


class LiveBlock:
    """The lines at the bottom of a terminal that change, below those that stay. Pure."""

    def __init__(self) -> None:
        self._shown: list[str] = []

    def frame(self, lines: Sequence[str], block: Sequence[str], screen: Screen) -> str:
        """What to write, without its last line end: `lines` to stay, `block` below them.

        Empty where there is nothing to write; a block ends with the next line that stays.
        """
        new = _fitting(block, screen)
        if not lines and (new == self._shown or not new):
            return ""
        erase = UP_AND_CLEAR.format(len(self._shown)) if self._shown else ""
        self._shown = new
        return erase + "\n".join([*lines, *(screen.paint(line, "dim") for line in new)])


def _fitting(block: Sequence[str], screen: Screen) -> list[str]:
    """No line that would wrap, and no more of them than can be written over."""
    width, height = screen.width or 80, screen.height or 24
    room = max(height - 2, 1)
    more = [] if len(block) <= room else [f"and {len(block) - room + 1} more"]
    return [shortened(line, width - 1) for line in (*block[: room - len(more)], *more)]
