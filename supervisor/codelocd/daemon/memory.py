"""Looks at the memory of runners that have a limit of it: as often as their growth asks for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codeloc_envs.shortage import shortage
from codelocd.core import events, problems
from codelocd.core.limits import look_at_memory_again
from codelocd.daemon.location import Location, Running
from codelocd.daemon.usage import memory_of
from codelocd.model import RunnerId
from codelocd.render.text import size

Look = Callable[[Mapping[int, int]], tuple[dict[int, int], float]]
"""By pid its limit: bytes of it and what descends from it, and the seconds of a core it took."""


@dataclass(slots=True)
class _Watched:
    """A runner, when it is to be looked at again, and what the last look found. Monotonic."""

    location: Location
    number: RunnerId
    running: Running
    due: float
    used: int | None = None
    looked_at: float = 0.0

    @property
    def limit(self) -> int | None:
        return self.location.spec.policy.memory_limit


class MemoryWatch:
    """One for all locations: those that are due are looked at together."""

    def __init__(self, look: Look = memory_of, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._watched: dict[int, _Watched] = {}
        self._begun = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def begin(self, location: Location, number: RunnerId, running: Running) -> None:
        """From its start on, where its location has a limit; one that is watched is looked at."""
        if location.spec.policy.memory_limit is None:
            return
        self._watched[running.handle.pid] = _Watched(location, number, running, self._clock())
        self._begun.set()
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._watched:
            self._begun.clear()
            now = self._clock()
            due = {pid: each for pid, each in self._watched.items() if each.due <= now}
            if due:
                await self.sweep(due)
            if self._watched:
                pause = min(each.due for each in self._watched.values()) - self._clock()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._begun.wait(), max(0.0, pause))

    async def sweep(self, due: Mapping[int, _Watched]) -> None:
        """Look at these; who is beyond a limit is told, the others are looked at again."""
        for pid, each in due.items():
            if each.running.handle.exited.done() or each.limit is None:
                self._watched.pop(pid, None)
        limits = {p: each.limit for p, each in due.items() if p in self._watched and each.limit}
        if not limits:
            return
        try:
            found, cost = await asyncio.to_thread(self._look, limits)
        except (OSError, RuntimeError) as error:
            if not shortage(error):
                raise
            found, cost = {}, 0.0
        now = self._clock()
        for pid, limit in limits.items():
            self._judge(pid, limit, found.get(pid), now, cost)

    def _judge(self, pid: int, limit: int, used: int | None, now: float, cost: float) -> None:
        each = self._watched.get(pid)
        if each is None:
            return
        if used is None:  # it has just ended, or nothing can be looked at for now
            each.due = now + 1.0
            return
        if used > limit:
            del self._watched[pid]
            self._end(each, used, limit)
            return
        growth = pause = 0.0
        if each.used is not None and now > each.looked_at:
            pause = now - each.looked_at
            growth = (used - each.used) / pause
        each.used, each.looked_at = used, now
        each.due = now + look_at_memory_again(used, limit, growth, pause=pause, cost=cost)

    def _end(self, each: _Watched, used: int, limit: int) -> None:
        problem = problems.over_memory(*_amounts(used, limit), time.time())
        if each.number == each.location.state.candidate:
            each.location.tell(events.LoadFailed(each.number, problem))
        else:
            each.location.tell(events.Condemned(each.number, problem))


def _amounts(used: int, limit: int) -> tuple[str, str]:
    """To the byte where they would look alike otherwise."""
    if size(used) == size(limit):
        return f"{used} B", f"{limit} B"
    return size(used), size(limit)
