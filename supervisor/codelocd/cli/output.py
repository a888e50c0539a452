"""Standard output and standard error, as a command writes to them."""

from __future__ import annotations

import io
import os
import sys

from codelocd.render.text import Screen, colours, columns, shortened

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any, TextIO


def prepare() -> None:
    """Make both streams writable whatever they are: closed, or of an encoding that lacks letters.

    Lines leave at once, so that a reader at the other end of a pipe sees them as they come.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stream = open(nowhere, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 lives on
            setattr(sys, name, stream)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def screen(stream: TextIO, environ: Mapping[str, str]) -> Screen:
    """What `stream` can show: width on a terminal only, colour as `colours` has it."""
    terminal = stream.isatty()
    colour = colours(environ, terminal=terminal)
    if not terminal:
        return Screen(colour=colour)
    try:
        size = os.get_terminal_size(stream.fileno())
    except OSError:
        return Screen(colour=colour)
    return Screen(colour=colour, width=size.columns or None, height=size.lines or None)


def stdout_screen() -> Screen:
    return screen(sys.stdout, os.environ)


def stderr_screen() -> Screen:
    return screen(sys.stderr, os.environ)


def is_live(stream: TextIO) -> bool:
    """Whether what is written can be written over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Text for stdout, with a line end; nothing at all where it is empty."""
    if text:
        sys.stdout.write(text + "\n")


def document(value: Any) -> None:
    """One JSON document for stdout, laid out for people too."""
    sys.stdout.write(_json(value, indent=2) + "\n")


def line(value: Any) -> None:
    """One JSON document as one line for stdout."""
    sys.stdout.write(_json(value, indent=None) + "\n")


def note(text: str) -> None:
    """Progress or a remark for stderr."""
    sys.stderr.write(text + "\n")


def _json(value: Any, indent: int | None) -> str:
    import json

    return json.dumps(value, indent=indent, default=_text_of_bytes)


def _text_of_bytes(value: object) -> str:
    """MessagePack has bytes, JSON has not; the bytes of a snapshot are text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


# --- lines that the next ones replace ----------------------------------------------------------

CLEAR = "\r\x1b[K"

UP_AND_CLEAR = "\x1b[{}A\r\x1b[J"
"""Cursor up so many lines, to the first column, erase what follows (ECMA-48 CUU, ED)."""


class LiveLine:
    """Shows the newest text, line by line where there is no terminal; wiped off at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = is_live(stream)

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
