"""Holds runners to the limits of their locations: by control groups, else by watching."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace

from codelocd.core import events, limits
from codelocd.core.limits import LATEST, look_again
from codelocd.daemon.location import Location, Running
from codelocd.daemon.memory import MemoryWatch
from codelocd.model import Exit, Policy, Problem, RunnerId
from codelocd.process import cgroups, tasks
from codelocd.process.cgroups import Subtree
from codelocd.render.text import size
from codelocd.runners.api import RunnerSpec

CAN_WATCH = sys.platform == "linux"
"""Elsewhere, what descends from a process cannot be counted often enough."""


class RunnerLimits:
    """One for all locations. What a runner itself can be told, it is told as it starts."""

    def __init__(self, groups: Subtree | None = None) -> None:
        """`groups`: where each runner gets a control group of its own; None: nowhere."""
        self._groups = groups
        self._work: dict[int, asyncio.Task[None]] = {}
        self._removals: set[asyncio.Task[None]] = set()
        self._memory = MemoryWatch()

    def told(self, order: RunnerSpec, policy: Policy) -> RunnerSpec:
        """The order, with what the runner holds itself to before any user code."""
        group = None
        if self._groups is not None:
            try:
                group = self._groups.make(limits.of_group(policy))
            except OSError:
                group = None  # it is watched instead
        return replace(
            order, nice=self._niceness(policy), open_files=policy.open_files, group=group
        )

    def begin(self, location: Location, number: RunnerId, running: Running) -> None:
        """Watch a runner that was started, where its location asks for that."""
        pid, group = running.handle.pid, running.order.group
        if group is None or self._groups is None or not self._groups.keeps("memory"):
            self._memory.begin(location, number, running)
        if not CAN_WATCH or location.spec.policy.tasks_limit is None or pid in self._work:
            return
        watching = asyncio.get_running_loop().create_task(self._watch(location, number, running))
        self._work[pid] = watching
        watching.add_done_callback(lambda _: self._work.pop(pid, None))

    def adjust(self, location: Location, former: Policy) -> None:
        """Other rules hold: have them hold for what runs already."""
        policy = location.spec.policy
        nice, open_files = self._niceness(policy), policy.open_files
        for number, running in location.runners.items():
            if self._groups is not None and running.order.group is not None:
                self._groups.hold_to(running.order.group, limits.of_group(policy))
            if CAN_WATCH and (nice, open_files) != (self._niceness(former), former.open_files):
                tasks.hold_to(running.handle.pid, nice, open_files)
            self.begin(location, number, running)

    def ended(self, running: Running, end: Exit, policy: Policy) -> Problem | None:
        """A runner has ended: the limit that the kernel ended it for, if it did. Whatever is
        left in its group ends, too.
        """
        group = running.order.group
        if self._groups is None or group is None:
            return None
        killed = cgroups.events(group, "memory.events").get("oom_kill", 0)
        self.discard(running.order)
        if not killed or end.signal is None or policy.memory_limit is None:
            return None
        return limits.out_of_memory(size(policy.memory_limit), time.time())

    def met(self, problem: Problem, running: Running, policy: Policy) -> Problem:
        """The problem of a load, as one of a limit where it met one."""
        group = running.order.group
        refused = group is not None and bool(cgroups.events(group, "pids.events").get("max"))
        return limits.met(problem, policy, refused=refused)

    def discard(self, order: RunnerSpec) -> None:
        """Nothing runs by this order any more."""
        if self._groups is None or order.group is None:
            return
        removal = asyncio.get_running_loop().create_task(
            asyncio.to_thread(self._groups.remove, order.group)
        )
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def settled(self) -> None:
        """Returns when the groups of runners that have ended are gone."""
        if self._removals:
            await asyncio.wait(tuple(self._removals))

    def _niceness(self, policy: Policy) -> int | None:
        weighs = self._groups is not None and self._groups.keeps("cpu")
        return policy.nice if weighs else limits.niceness(policy)

    async def _watch(self, location: Location, number: RunnerId, running: Running) -> None:
        """Until it ends, has no limit any more, or is beyond it."""
        pid, group, newest, count = running.handle.pid, running.order.group, "", 0
        while (limit := location.spec.policy.tasks_limit) is not None:
            pause = LATEST
            if group is not None and self._groups is not None and self._groups.keeps("pids"):
                count = limit + cgroups.events(group, "pids.events").get("max", 0)
            else:
                latest = tasks.newest()
                if latest != newest:
                    newest, count = latest, await asyncio.to_thread(tasks.count, pid)
                pause = look_again(count, limit)
            if running.handle.exited.done():
                return
            if count > limit:
                await self._end(location, number, running, count)
                return
            await asyncio.wait([running.handle.exited], timeout=pause)

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
