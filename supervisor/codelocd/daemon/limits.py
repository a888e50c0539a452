"""Holds processes to the limits of their locations: by control groups, else by watching."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from codeloc_envs.problem import shortage
from codelocd.core import events, limits
from codelocd.core.limits import LATEST, RUNNER, look_again, look_at_memory_again
from codelocd.daemon.location import Location, Running
from codelocd.daemon.usage import memory_of
from codelocd.model import Exit, Policy, Problem, RunnerId
from codelocd.process import tasks
from codelocd.process.tasks import Subtree
from codelocd.render.text import size
from codelocd.runners.api import RunnerSpec

CAN_WATCH = sys.platform == "linux"
"""Other systems have no way to count the descendants of a process often enough."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit of the location that is exceeded: bytes of memory, or tasks."""

    key: Literal["memory_limit", "tasks_limit"]
    used: int
    limit: int

    def problem(self, what: str, more: str = "") -> Problem:
        """`what` is beyond the limit; `more`: what else there is to say."""
        if self.key == "tasks_limit":
            return limits.over_tasks(self.used, self.limit, time.time(), what, more)
        used, limit = _amounts(self.used, self.limit)
        return limits.over_memory(used, limit, time.time(), what, more)


@dataclass(frozen=True, slots=True)
class Held:
    """A process that is held to the limits of its location, with all that descends from it. `over`
    says of it what limit is exceeded, and ends what is to blame. `own`: limits of its own, from the
    policy of its location; None: that one's."""

    location: Location | None
    pid: int
    exited: asyncio.Future[Exit]
    group: str | None
    over: Callable[[Excess], Awaitable[None]]
    own: Callable[[Policy], Policy] | None = None

    @property
    def policy(self) -> Policy:
        policy = Policy() if self.location is None else self.location.spec.policy
        return policy if self.own is None else self.own(policy)


class LocationLimits:
    """Enforces the limits of all locations on their processes. What a process can enforce itself,
    it is told at its start."""

    def __init__(self, groups: Subtree | None = None) -> None:
        """`groups`: where each runner gets a control group of its own; None: nowhere."""
        self._groups = groups
        self._held: dict[int, Held] = {}
        self._work: dict[int, asyncio.Task[None]] = {}
        self._removals: set[asyncio.Task[None]] = set()
        self._memory = MemoryWatch()

    def told(self, order: RunnerSpec, policy: Policy) -> RunnerSpec:
        """The order with the limits that hold for its process before it runs user code."""
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
        self.hold(held_runner(location, number, running))

    def hold(self, held: Held) -> None:
        """Watch a process until it ends, where its location asks for that. One that is watched
        already is looked at at once."""
        pid = held.pid
        if pid not in self._held:
            self._held[pid] = held
            held.exited.add_done_callback(lambda _: self._held.pop(pid, None))
        if held.group is None or self._groups is None or not self._groups.keeps("memory"):
            self._memory.begin(held)
        if not CAN_WATCH or held.policy.tasks_limit is None or pid in self._work:
            return
        watching = asyncio.get_running_loop().create_task(self._watch(held))
        self._work[pid] = watching
        watching.add_done_callback(lambda _: self._work.pop(pid, None))

    def adjust(self, location: Location, former: Policy) -> None:
        """The policy has changed: apply the new limits to the processes that are there."""
        policy = location.spec.policy
        nice, open_files = self._niceness(policy), policy.open_files
        for held in [each for each in self._held.values() if each.location is location]:
            if self._groups is not None and held.group is not None:
                self._groups.hold_to(held.group, limits.of_group(held.policy))
            if CAN_WATCH and (nice, open_files) != (self._niceness(former), former.open_files):
                tasks.hold_to(held.pid, nice, open_files)
            self.hold(held)

    def ended(
        self, group: str | None, end: Exit, policy: Policy, what: str = RUNNER
    ) -> Problem | None:
        """A process with that group has ended. The problem, if the kernel killed it for its memory
        limit. Processes that are left in the group are ended."""
        if self._groups is None or group is None:
            return None
        killed = tasks.events(group, "memory.events").get("oom_kill", 0)
        self.discard(group)
        if not killed or end.signal is None or policy.memory_limit is None:
            return None
        return limits.out_of_memory(size(policy.memory_limit), time.time(), what)

    def met(self, problem: Problem, running: Running, policy: Policy) -> Problem:
        """The problem of a load; as a problem of the limit, where a limit was the cause."""
        group = running.order.group
        refused = group is not None and bool(tasks.events(group, "pids.events").get("max"))
        return limits.met(problem, policy, refused=refused)

    def discard(self, group: str | None) -> None:
        """Nothing is to run in this group any more."""
        if self._groups is None or group is None:
            return
        removal = asyncio.get_running_loop().create_task(
            asyncio.to_thread(self._groups.remove, group)
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

    async def _watch(self, held: Held) -> None:
        """Count the tasks of a process until it ends, loses its limit, or exceeds it."""
        group, newest, count = held.group, "", 0
        while (limit := held.policy.tasks_limit) is not None:
            pause = LATEST
            if group is not None and self._groups is not None and self._groups.keeps("pids"):
                count = limit + tasks.events(group, "pids.events").get("max", 0)
            else:
                latest = tasks.newest()
                if latest != newest:
                    newest, count = latest, await asyncio.to_thread(tasks.count, held.pid)
                pause = look_again(count, limit)
            if held.exited.done():
                return
            if count > limit:
                await held.over(Excess("tasks_limit", count, limit))
                return
            await asyncio.wait([held.exited], timeout=pause)


def held_runner(location: Location, number: RunnerId, running: Running) -> Held:
    """A runner, which ends with all that it has started when it exceeds a limit."""

    async def over(excess: Excess) -> None:
        pid, groups = running.handle.pid, frozenset[int]()
        if excess.key == "tasks_limit":  # stopped first, so that they start no others
            groups = await asyncio.to_thread(tasks.freeze, pid)
        problem = excess.problem(RUNNER)
        if number == location.state.candidate:
            location.tell(events.LoadFailed(number, problem))
        else:
            location.tell(events.Condemned(number, problem))
        if groups:
            running.handle.kill()
            await asyncio.to_thread(tasks.end, groups - {pid})

    handle = running.handle
    return Held(location, handle.pid, handle.exited, running.order.group, over)


Look = Callable[[Mapping[int, int]], tuple[dict[int, int], float]]
"""Takes limits by pid. Returns the bytes of each process with its descendants, and the seconds of a
core that the look took."""


@dataclass(slots=True)
class _WatchedProcess:
    """A process, when to look at it again (monotonic), and what the last look found."""

    held: Held
    due: float
    used: int | None = None
    looked_at: float = 0.0

    @property
    def limit(self) -> int | None:
        return self.held.policy.memory_limit


class MemoryWatch:
    """Watches the memory of the processes of all locations; those that are due are measured
    together."""

    def __init__(self, look: Look = memory_of, clock: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._clock = clock
        self._watched: dict[int, _WatchedProcess] = {}
        self._begun = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def begin(self, held: Held) -> None:
        """Watch a process from its start on, if its location has a limit. One that is watched
        already is measured at once."""
        if held.policy.memory_limit is None:
            return
        self._watched[held.pid] = _WatchedProcess(held, self._clock())
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
                    async with asyncio.timeout(max(0.0, pause)):
                        await self._begun.wait()

    async def sweep(self, due: Mapping[int, _WatchedProcess]) -> None:
        """Measure these processes. End those that exceed their limit, and plan the next look at the
        others."""
        for pid, each in due.items():
            if each.held.exited.done() or each.limit is None:
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
            await self._judge(pid, limit, found.get(pid), now, cost)

    async def _judge(self, pid: int, limit: int, used: int | None, now: float, cost: float) -> None:
        each = self._watched.get(pid)
        if each is None:
            return
        if used is None:  # it has just ended, or nothing can be looked at for now
            each.due = now + 1.0
            return
        if used > limit:
            del self._watched[pid]
            await each.held.over(Excess("memory_limit", used, limit))
            return
        growth = pause = 0.0
        if each.used is not None and now > each.looked_at:
            pause = now - each.looked_at
            growth = (used - each.used) / pause
        each.used, each.looked_at = used, now
        each.due = now + look_at_memory_again(used, limit, growth, pause=pause, cost=cost)


def _amounts(used: int, limit: int) -> tuple[str, str]:
    """Both as text; in bytes, where rounding would make them equal."""
    if size(used) == size(limit):
        return f"{used} B", f"{limit} B"
    return size(used), size(limit)
