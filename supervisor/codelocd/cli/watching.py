"""The table of locations, again and again: on a screen of its own, or one after the other."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from codelocd.cli import output
from codelocd.cli.connection import connect
from codelocd.cli.status import document, wanted
from codelocd.cli.which import Asked
from codelocd.render.status import page, status

if TYPE_CHECKING:
    from codelocd.documents.locations import StatusDocument

INTERVAL = 1.0
"""Seconds between two looks."""

TERMINATED = 128 + signal.SIGTERM
"""As a shell says it of a command that the signal ended."""

ENTER = "\x1b[?1049h\x1b[?25l"
"""To the alternate screen, without a cursor (xterm's private modes 1049 and 25)."""

LEAVE = "\x1b[?25h\x1b[?1049l"

HOME, END_OF_LINE, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
"""To the first column of the first row; erase to the end of the line, of the screen (ECMA-48)."""


def watch(asked: Asked, locations: Sequence[str], *, as_json: bool, only_failed: bool) -> NoReturn:
    """Print until interrupted."""
    with connect(asked) as connection, _place(as_json=as_json) as show:
        while True:
            answer: StatusDocument = connection.call("status", wanted(locations))
            show(document(answer, only_failed=only_failed))
            time.sleep(INTERVAL)


@contextmanager
def _place(*, as_json: bool) -> Iterator[Callable[[StatusDocument], None]]:
    """What shows a document where stdout goes; a terminal is as it was afterwards."""
    if as_json or not output.is_live(sys.stdout):
        yield output.line if as_json else _below
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    _put(ENTER)
    try:
        yield _in_place
    finally:
        _put(LEAVE)


def _below(found: StatusDocument) -> None:
    output.say(status(found, output.stdout_screen()))


def _in_place(found: StatusDocument) -> None:
    """Over what is there, without a line end after the last line: that would scroll."""
    lines = page(found, time.strftime("%H:%M:%S"), output.stdout_screen()).splitlines()
    _put(f"{HOME}{f'{END_OF_LINE}{chr(10)}'.join(lines)}{END_OF_LINE}{BELOW}")


def _put(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
