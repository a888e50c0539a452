"""Whoever is in the daemon's own process and hears what a subscriber hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgpack

Observer = Callable[[dict[str, Any]], None]
"""Takes `{"subscription", "topic", "seq", "data"}`, as the notification `event` has them."""


class Ear:
    """A subscriber without a connection: never slow, never gone."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    @property
    def backlog(self) -> int:
        return 0

    def send(self, message: bytes) -> None:
        _kind, _method, (event,) = msgpack.unpackb(message, unicode_errors="surrogateescape")
        self._observer(event)

    def when_drained(self, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(callback)
