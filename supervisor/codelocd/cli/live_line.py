"""A line that is written over and over on a terminal, and line by line elsewhere."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TextIO

from codelocd.render.text import columns

CLEAR = "\r\x1b[K"


class LiveLine:
    """Shows the newest text; at the end the last one is wiped off a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, text: str) -> None:
        if not self._live:
            self._stream.write(text + "\n")
            return
        width = os.get_terminal_size(self._stream.fileno()).columns
        if columns(text) < width or width == 0:
            self._stream.write(CLEAR + text)
            self._stream.flush()

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._stream.write(CLEAR)
            self._stream.flush()
