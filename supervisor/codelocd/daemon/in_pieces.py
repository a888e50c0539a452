"""Carries out many changes in their order, a few in one turn of the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

AT_ONCE, LATER = 50, 20
"""Changes in the first turn, and in each that follows; one takes a third of a millisecond."""


class ChangesInPieces:
    """What is begun while there are changes left comes after these."""

    def __init__(self) -> None:
        self._left: deque[Callable[[], object]] = deque()
        self._waits = False

    def begin(self, changes: Iterable[Callable[[], object]], *, now: bool = False) -> None:
        """Carry out the first ones now, and the rest soon; or all `now`."""
        self.finish()
        self._left.extend(changes)
        self._some(len(self._left) if now else AT_ONCE)

    async def done(self) -> None:
        """Returns when all are carried out."""
        while self._left:
            self._some(LATER)
            await asyncio.sleep(0)

    def finish(self) -> None:
        """Carry out now what is left."""
        while self._left:
            self._left.popleft()()

    def drop(self) -> None:
        self._left.clear()

    def _some(self, count: int) -> None:
        for _ in range(min(count, len(self._left))):
            self._left.popleft()()
        if self._left and not self._waits:
            self._waits = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._waits = False
        self._some(LATER)
