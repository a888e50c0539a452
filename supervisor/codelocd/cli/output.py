"""Standard output and standard error, as a command writes to them."""

from __future__ import annotations

import io
import os
import sys

from codelocd.render.text import Screen, colours

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from collections.abc import Mapping
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
