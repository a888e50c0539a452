"""Sends the messages of one connection in their order, a large one as the other end takes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

SLICE = 64 * 1024
"""Bytes of a large message that are handed to the transport at once; it copies what it is given."""

ROUND = 2 * 1024 * 1024
"""Bytes sent in one turn of the loop to an end that reads as fast as this one writes."""


class Unsent:
    """Counts the bytes of messages that wait in any outbox; what waits in several counts once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._outboxes: dict[int, int] = {}

    def add(self, part: bytes) -> None:
        count = self._outboxes.get(id(part), 0)
        self._outboxes[id(part)] = count + 1
        if not count:
            self.bytes += len(part)

    def remove(self, part: bytes) -> None:
        count = self._outboxes.pop(id(part)) - 1
        if count:
            self._outboxes[id(part)] = count
        else:
            self.bytes -= len(part)


class Outbox:
    """Large messages wait here, and not in the transport: an answer to many is in memory once.

    `told(slow)` hears whether the other end has not taken what it was sent; again when there is
    more of it. Of use once it has a `transport`.
    """

    transport: asyncio.Transport

    def __init__(self, unsent: Unsent, told: Callable[[bool], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._all_unsent = unsent
        self._told = told
        self._rest: deque[tuple[bytes, int]] = deque()
        self._full = self._later = self._closes = self._slow = False
        self._unsent = 0
        self._drained: list[Callable[[], None]] = []

    def send(self, *parts: bytes) -> None:
        """One message, or several, in such parts."""
        if not self._rest and sum(map(len, parts)) <= SLICE:
            self.transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
            return
        for part in filter(None, parts):
            self._rest.append((part, 0))
            self._unsent += len(part)
            self._all_unsent.add(part)
        self._pump()

    def fill(self, full: bool) -> None:
        """Whether the transport has as much as it should have."""
        self._full = full
        self._pump()

    @property
    def backlog(self) -> int:
        """Bytes that the other end has yet to take."""
        return self._unsent + self.transport.get_write_buffer_size()

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call back soon, but not before the other end has taken most of the backlog."""
        if self._slow:
            self._drained.append(callback)
        else:
            self._loop.call_soon(self._call_back, callback)

    def _call_back(self, callback: Callable[[], None]) -> None:
        """One that was called back before may have filled the connection again."""
        if self._slow:
            self._drained.append(callback)
        else:
            callback()

    def close(self) -> None:
        """End the connection when all is sent."""
        self._closes = True
        if self._rest:
            self.transport.pause_reading()
        else:
            self.transport.close()

    def clear(self) -> None:
        """The connection is gone."""
        self._drained.clear()
        while self._rest:
            self._all_unsent.remove(self._rest.popleft()[0])
        self._unsent = 0

    def _pump(self) -> None:
        """Not more than a bit in one turn."""
        left = ROUND
        while self._rest and not (self._full or self._later):
            if left <= 0:
                self._later = True
                self._loop.call_soon(self._go_on)
                break
            part, begin = self._rest[0]
            end = min(begin + SLICE, len(part))
            self._rest[0] = part, end
            if end == len(part):
                self._rest.popleft()
                self._all_unsent.remove(part)
            self._unsent -= end - begin
            left -= end - begin
            self.transport.write(memoryview(part)[begin:end])
        if self._closes and not self._rest:
            self.transport.close()
        self._look_at_pace()

    def _go_on(self) -> None:
        self._later = False
        self._pump()

    def _look_at_pace(self) -> None:
        if self._full or self._rest:
            self._slow = True
            self._told(True)
        elif self._slow:
            self._slow = False
            self._told(False)
            drained, self._drained = self._drained, []
            for callback in drained:
                self._loop.call_soon(self._call_back, callback)
