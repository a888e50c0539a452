"""Whose turn it is to start: cold starts take turns so that they do not starve each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE = 2.0
"""Seconds after which a start gives its place away: a hang must not hold up the rest."""


class Place:
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


class Turns:
    """At most `places` starts at a time, each for at most `PATIENCE` seconds."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)

    async def take(self) -> Place:
        await self._places.acquire()
        return Place(self._places)

    @asynccontextmanager
    async def turn(self, *, waits: bool) -> AsyncIterator[None]:
        """Within it, a place is held, as long as it is; who does not wait takes none."""
        place = await self.take() if waits else None
        try:
            yield
        finally:
            if place is not None:
                place.give_back()
