"""Epochs: the fencing numbers of starts, for this machine's runners and for those of engines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from codelocd.model import Exit
from codelocd.runners.api import UNFENCED, RunnerSpec


class StaleStart(OSError):
    """Another start of the location, which was newer, was there before this one."""


class Epochs:
    """Gives each start of a location a number that is higher than all before, across daemons: the
    milliseconds since 1970, or one more than the newest."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def next(self, location: str) -> int:
        now = int(time.time() * 1000)
        found = self._newest[location] = max(self._newest.get(location, 0) + 1, now)
        return found

    def saw(self, location: str, epoch: int) -> None:
        """An engine tells of one that an earlier daemon gave."""
        self._newest[location] = max(self._newest.get(location, 0), epoch)


class Ending(Protocol):
    """A runner, as far as it is looked at here."""

    @property
    def exited(self) -> asyncio.Future[Exit]: ...


Started = TypeVar("Started", bound=Ending)


class FencedStarts(Generic[Started]):
    """Makes each start of this machine once, and none that is older than the newest of its
    location."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._runners: dict[str, Started] = {}

    async def make(
        self, spec: RunnerSpec, start: Callable[[RunnerSpec], Awaitable[Started]]
    ) -> Started:
        """The runner that the same start was answered with, while that lives. Raises StaleStart,
        and what `start` raises."""
        location, epoch = spec.location, spec.epoch
        if epoch == UNFENCED:
            return await start(spec)
        newest = self._newest.get(location, 0)
        if epoch < newest:
            what = f"{location}: start {epoch} is older than {newest}, which was there already"
            raise StaleStart(what)
        known = self._runners.get(location)
        if known is not None and epoch == newest and not known.exited.done():
            return known
        self._newest[location] = epoch
        runner = await start(spec)
        if self._newest[location] == epoch:
            self._runners[location] = runner
            runner.exited.add_done_callback(lambda _: self._forget(location, runner))
        return runner

    def _forget(self, location: str, runner: Started) -> None:
        if self._runners.get(location) is runner:
            del self._runners[location]
