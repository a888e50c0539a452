"""Says on stderr what an order waits for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from codelocd.cli.live_line import LiveLine
from codelocd.client import Client, DaemonUnreachable, RpcError
from codelocd.render.status import under_way

if TYPE_CHECKING:
    from codelocd.documents.locations import StatusDocument

QUIET = 1.0
"""Seconds before the first word, and between two looks: most orders have their outcome by then."""


class Waiting:
    """While an order is carried out: looks from time to time, on a connection of its own.

    `parameters` are those of the order, which name its locations.
    """

    def __init__(self, socket: str, parameters: Mapping[str, Any]) -> None:
        self._socket = socket
        names = parameters.get("locations")
        self._parameters = {"locations": names} if names else {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="waiting", daemon=True)

    def __enter__(self) -> Waiting:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(QUIET)

    def _look(self) -> None:
        said: set[str] = set()
        with LiveLine(sys.stderr) as line:
            while not self._ended.wait(QUIET):
                try:
                    with Client(self._socket, timeout=QUIET, foreign=True) as client:
                        found: StatusDocument = client.call(
                            "status", self._parameters, timeout=QUIET
                        )
                except (DaemonUnreachable, RpcError, OSError):
                    continue  # the order itself says what is wrong
                if not self._ended.is_set():
                    _say(line, said, under_way(found["locations"]))


def _say(line: LiveLine, said: set[str], waits: Sequence[tuple[str, str]]) -> None:
    """All of it on a terminal, where it is written over; elsewhere each wait once."""
    if line.is_live:
        texts = [f"{what} ({since})" for what, since in waits]
        line.show(f"waiting for {', '.join(texts)}") if texts else line.clear()
        return
    for what, since in waits:
        if what not in said:
            said.add(what)
            line.show(f"waiting for {what} ({since})")
