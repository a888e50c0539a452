"""Limits how many starts run at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

PATIENCE = 2.0
"""Seconds after which a start frees its place, done or not: one that hangs must not hold up the
others."""


class StartPermit:
    """The right to start now, given back once."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._patience = asyncio.get_running_loop().call_later(PATIENCE, self.give_back)
        self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._patience.cancel()
            self._places.release()


class StartLimit:
    """At most `places` starts at a time, each for at most `PATIENCE` seconds."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    async def take(self) -> StartPermit:
        await self._places.acquire()
        return StartPermit(self._places)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Within it, a place is held."""
        turn = await self.take()
        try:
            yield
        finally:
            turn.give_back()


RESTARTS = 10
"""Starts after failures within a second, of all locations: many may fail for one reason."""


class RestartPace:
    """Allows at most `count` starts in any `seconds`, in the order in which they were asked for."""

    def __init__(self, count: int = RESTARTS, seconds: float = 1.0) -> None:
        self._turns = deque[float](maxlen=count)
        self._count = count
        self._seconds = seconds

    async def turn(self) -> None:
        """Returns when the start is due: at once, as a rule."""
        now = due = asyncio.get_running_loop().time()
        if len(self._turns) == self._count:
            due = max(now, self._turns[0] + self._seconds)
        self._turns.append(due)
        if due > now:
            await asyncio.sleep(due - now)


class StartLimits:
    """Three limits that do not wait for each other: for first starts, for environments, and for
    reloads.

    `beside`: for a location that serves meanwhile. A person waits for such a reload, and rarely for
    more than a few at once; but all of them at once would hold up the loop."""

    def __init__(self, cores: int) -> None:
        self._starts = StartLimit(cores)
        self._preparations = StartLimit(2 * cores)  # they wait for networks, too
        self._reloads = StartLimit(4 * cores)
        self.restarts = RestartPace()
        """For restarts of locations whose runners failed soon after their start."""

    def start(self, *, beside: bool) -> AbstractAsyncContextManager[None]:
        return (self._reloads if beside else self._starts).turn()

    def preparation(self, *, beside: bool) -> AbstractAsyncContextManager[None]:
        return (self._reloads if beside else self._preparations).turn()
