"""Publishes what runners use of the machine, for as long as a client has subscribed to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from codelocd.daemon.subscriptions import Hub
from codelocd.daemon.usage import Sampler

if TYPE_CHECKING:
    from codelocd.documents.events import UsageDocument

EVERY = 5.0
"""Seconds between two samples."""


class UsageReports:
    """The topic `usage`. `pids()` gives the process of each location's runner, or None."""

    def __init__(
        self, hub: Hub, sampler: Sampler, pids: Callable[[], Mapping[str, int | None]]
    ) -> None:
        self._hub = hub
        self._sampler = sampler
        self._pids = pids
        self._last: UsageDocument | None = None

    async def run(self) -> None:
        """Sample and publish for ever. Without a subscriber it sleeps."""
        while True:
            await self._hub.heard("usage")
            pids = self._pids()
            wanted = [pid for pid in pids.values() if pid is not None]
            await self._sampler.refresh(wanted, EVERY / 2)
            self._last = self._document(pids)
            self._hub.publish("usage", self._last)
            await asyncio.sleep(EVERY)

    def last(self) -> UsageDocument:
        """The newest sample, for those who come; without one of the last moments an empty one."""
        if self._last is None or time.time() - self._last["at"] > 2 * EVERY:
            return {"at": time.time(), "locations": {}}
        return self._last

    def _document(self, pids: Mapping[str, int | None]) -> UsageDocument:
        found: UsageDocument = {"at": time.time(), "locations": {}}
        for name, pid in pids.items():
            usage = self._sampler.usage(pid) if pid is not None else None
            found["locations"][name] = None if usage is None else [usage.memory, usage.cpu]
        return found
