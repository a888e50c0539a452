"""Tells where code ends its own process: nobody else could say it afterwards."""

from __future__ import annotations

import os
import sys

from .frames import is_ours
from .sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List

FRAMES = 10
ERROR = 2
"""The descriptor of standard error, whatever `sys.stderr` is by now."""


def watch() -> Callable[[], None]:
    """From now on `os._exit` prints the location's lines that led to it; until the result is
    called. A process that user code forked says nothing.
    """
    end, own, write, whose = os._exit, os.getpid(), os.write, os.getpid

    def _exit(status: int) -> None:
        if whose() == own:
            lines = stack()
            if lines:
                text = "\n".join([f"os._exit({status}) was called:", *lines, ""])
                try:  # noqa: SIM105  contextlib would cost milliseconds
                    write(ERROR, text.encode("utf-8", "replace"))
                except OSError:
                    pass
        end(status)

    def leave() -> None:
        if os._exit is _exit:
            os._exit = end

    os._exit = _exit  # type: ignore[assignment]  # it returns as little as the other
    return leave


def stack() -> List[str]:
    """The innermost first, as Python's own fault handler has it."""
    lines: List[str] = []
    frame = sys._getframe(2)
    while frame is not None and len(lines) < FRAMES:
        code = frame.f_code
        if not is_ours(code.co_filename) and is_source(code.co_filename):
            lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}')
        frame = frame.f_back  # type: ignore[assignment]
    return lines
