"""Holds runners to the limits of their locations, from the outside."""

from __future__ import annotations

import asyncio
import sys
import time

from codelocd.core import events, limits
from codelocd.core.limits import look_again, niceness
from codelocd.daemon.location import Location, Running
from codelocd.model import Policy, RunnerId
from codelocd.process import tasks

CAN_WATCH = sys.platform == "linux"
"""Elsewhere, what descends from a process cannot be counted often enough."""


class RunnerLimits:
    """One for all locations. What a runner itself can be told, it is told as it starts."""

    def __init__(self) -> None:
        self._watched: dict[int, asyncio.Task[None]] = {}

    def begin(self, location: Location, number: RunnerId, running: Running) -> None:
        """Watch a runner that was started, where its location asks for that."""
        pid = running.handle.pid
        if not CAN_WATCH or location.spec.policy.tasks_limit is None or pid in self._watched:
            return
        watching = asyncio.get_running_loop().create_task(self._watch(location, number, running))
        self._watched[pid] = watching
        watching.add_done_callback(lambda _: self._watched.pop(pid, None))

    def adjust(self, location: Location, former: Policy) -> None:
        """Other rules hold: have them hold for what runs already."""
        policy = location.spec.policy
        told = niceness(policy), policy.open_files
        for number, running in location.runners.items():
            if CAN_WATCH and told != (niceness(former), former.open_files):
                tasks.hold_to(running.handle.pid, *told)
            self.begin(location, number, running)

    async def _watch(self, location: Location, number: RunnerId, running: Running) -> None:
        """Until it ends, has no limit any more, or is beyond it."""
        pid, newest, count = running.handle.pid, "", 0
        while (limit := location.spec.policy.tasks_limit) is not None:
            latest = tasks.newest()
            if latest != newest:
                newest, count = latest, await asyncio.to_thread(tasks.count, pid)
            if running.handle.exited.done():
                return
            if count > limit:
                await self._end(location, number, running, count)
                return
            await asyncio.wait([running.handle.exited], timeout=look_again(count, limit))

    async def _end(
        self, location: Location, number: RunnerId, running: Running, count: int
    ) -> None:
        """First nothing of it may start anything more; then its location is told why it ends."""
        pid, limit = running.handle.pid, location.spec.policy.tasks_limit or 0
        groups = await asyncio.to_thread(tasks.freeze, pid)
        problem = limits.over_tasks(count, limit, time.time())
        if number == location.state.candidate:
            location.tell(events.LoadFailed(number, problem))
        else:
            location.tell(events.Condemned(number, problem))
        running.handle.kill()
        await asyncio.to_thread(tasks.end, groups - {pid})
