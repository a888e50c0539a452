"""Follows what a daemon says of its locations, on a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from codelocd.client import Client, DaemonUnreachable, RpcError

MISSED = 3.0
"""Seconds in which a moment must come; one that was over too soon to be seen is not waited for."""

PAUSE = 0.02
"""Seconds between two tries to connect."""

Entry = Mapping[str, Any]


class Watcher:
    """Follows the daemon's status events on a thread; connects again where it must."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._seen: list[Entry] = []
        self._more = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended = True

    def mark(self) -> int:
        with self._more:
            return len(self._seen)

    def until(self, mark: int, name: str, holds: Callable[[Entry], bool]) -> bool:
        """Whether an entry of the location that came after `mark` was so, within MISSED."""

        def found() -> bool:
            return any(each["name"] == name and holds(each) for each in self._seen[mark:])

        with self._more:
            return self._more.wait_for(found, MISSED)

    def _follow(self) -> None:
        while not self._ended:
            with contextlib.suppress(DaemonUnreachable, RpcError, OSError):
                self._listen()
            time.sleep(PAUSE)

    def _listen(self) -> None:
        with Client(self._socket, timeout=MISSED) as client:
            for event in client.subscribe(["status"]):
                data: Any = event["data"]
                entries = data["locations"] if data.get("full") else [data["location"]]
                with self._more:
                    self._seen += [each for each in entries if each is not None]
                    self._more.notify_all()
