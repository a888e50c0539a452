"""Who is heard next: one connection with much to say holds up neither others nor the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

MOST = 64
"""Messages that are taken in one turn of the loop, all connections together."""

LONG, SHORT = 0.010, 0.004
"""Seconds of a turn after which the next has half as many messages, and below which one more."""


class Speaker(Protocol):
    """A connection that has said something."""

    def take_next(self) -> bool:
        """Take one message; whether there is another now."""
        ...


class FairQueue:
    """Connections that have more to say wait in a row, and each is heard for one message.

    One that says a single thing while none waits is heard at once.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Speaker] = deque()
        self._most = self._left = MOST
        self._began: float | None = None

    def add(self, speaker: Speaker) -> None:
        """Hear it, now or in its turn. It is not added again before it has said everything."""
        if self._began is None:
            self._began = self._loop.time()
            self._loop.call_soon(self._hear)
        if self._waiting or not self._left:
            self._waiting.append(speaker)
            return
        self._left -= 1
        if speaker.take_next():
            self._waiting.append(speaker)

    def _hear(self) -> None:
        """What is begun now is carried out in the same turn of the loop, and counts in its time."""
        now = self._loop.time()
        took = 0.0 if self._began is None else now - self._began
        if took > LONG:
            self._most = max(1, self._most // 2)
        elif took < SHORT:
            self._most = min(MOST, self._most + 1)
        self._left = self._most
        while self._waiting and self._left:
            self._left -= 1
            speaker = self._waiting.popleft()
            if speaker.take_next():
                self._waiting.append(speaker)
        self._began = now if self._waiting else None
        if self._waiting:
            self._loop.call_soon(self._hear)


class RateLimit:
    """At most so many a second; after a pause a second's worth at once."""

    def __init__(self, per_second: float) -> None:
        self._each = 1 / per_second
        self._due = 0.0

    def wait(self, now: float) -> float:
        """Seconds until there may be another; 0 lets one pass."""
        if self._due > now:
            return self._due - now
        self._due = max(self._due, now - 1.0) + self._each
        return 0.0
