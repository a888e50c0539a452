"""The table of locations, printed again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from codelocd.cli import output
from codelocd.cli.connection import connect
from codelocd.cli.status import wanted
from codelocd.cli.which import Asked
from codelocd.render.status import status

INTERVAL = 1.0
"""Seconds between two looks."""

HOME_AND_CLEAR = "\x1b[H\x1b[J"
"""Cursor to the first column of the first row, erase what follows (ECMA-48 CUP, ED)."""


def watch(asked: Asked, locations: Sequence[str], *, as_json: bool) -> NoReturn:
    """Print until interrupted: in place on a terminal, one document after the other elsewhere."""
    with connect(asked) as connection:
        while True:
            answer = connection.call("status", wanted(locations))
            if as_json:
                output.line(answer)
            else:
                _show(answer)
            time.sleep(INTERVAL)


def _show(answer: Any) -> None:
    screen = output.stdout_screen()
    clear = HOME_AND_CLEAR if screen.width is not None else ""
    sys.stdout.write(f"{clear}{status(answer, screen)}\n")
