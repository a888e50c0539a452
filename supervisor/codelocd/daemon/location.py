"""What the daemon holds of one location: its description, its state, its runners."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeloc_envs import Choice, Environment, Lease
from codeloc_envs.problem import shortage
from codelocd.core import restarts
from codelocd.core.events import Event, MachineLacks
from codelocd.core.reload_loops import NO_LOOPS, Loops
from codelocd.core.state import UNDER_WAY, State
from codelocd.core.timing import Timing
from codelocd.model import LastExit, LocationSpec, Phase, Problem, RunnerId, Snapshot
from codelocd.runners.api import RunnerHandle, RunnerSpec


class Retirement:
    """A runner that was asked to leave. `grace` seconds later it is killed. `patience`: the seconds
    that it has to answer the requests that it accepted; None: as many as `grace`."""

    def __init__(self, handle: RunnerHandle, patience: float | None, grace: float) -> None:
        self._handle, self._patience, self._grace = handle, patience, grace
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._work = self._begin(patience or grace, grace)

    def last(self, grace: float) -> None:
        """Change the time that it has, counted from the same moment."""
        if grace == self._grace or self._work.done():
            return
        self._work.cancel()
        self._grace, gone_by = grace, self._loop.time() - self._began
        self._work = self._begin((self._patience or grace) - gone_by, grace - gone_by)

    def _begin(self, patience: float, grace: float) -> asyncio.Task[None]:
        work = self._loop.create_task(self._handle.retire(max(0.0, patience), max(0.0, grace)))
        _RETIRING.add(work)
        work.add_done_callback(_RETIRING.discard)
        return work


_RETIRING: set[asyncio.Task[None]] = set()
"""asyncio holds tasks by weak references: without this set they could be collected while they
run."""


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Of a location: how many runs go on, and how many wait."""

    running: int = 0
    queued: int = 0


NO_RUN = RunCounts()

COUNTED = 1000
"""The number of restarts whose times are remembered."""


@dataclass(frozen=True, slots=True)
class Leases:
    """What a runner holds so that nothing of it is removed: its environment, and the release that
    its code is from, where there is one."""

    environment: Lease
    release: Lease | None = None

    def filenos(self) -> tuple[int, ...]:
        return tuple(each.fileno() for each in (self.environment, self.release) if each is not None)

    def close(self) -> None:
        self.environment.close()
        if self.release is not None:
            self.release.close()


@dataclass(slots=True)
class Running:
    """One runner's process, how it was ordered, and what belongs to it.

    `began` and `answered`, its last ping, are monotonic: clocks are set. `read`: globs of what its
    load read that is no Python.
    """

    handle: RunnerHandle
    order: RunnerSpec
    environment: Environment
    lease: Leases | None
    began: float
    timing: Timing
    generation: int | None = None
    snapshot: Snapshot | None = None
    read: tuple[str, ...] = ()
    retirement: Retirement | None = None
    answered: float | None = None


@dataclass(slots=True)
class Location:
    """A location as the daemon knows it now.

    `state` changes in the daemon's loop alone, and by `step` alone; `send` hands an event to the
    loop. `runners` and `tasks` belong to the executor: the processes and the work that is under
    way. `expected`: what the choice of an environment, while it is made, may turn out to depend on.
    `since`: when its phase began, `restarted`: when it was started again by itself, both monotonic.
    `stops`: how often all of its processes had ended after an order. `earlier`: the ends of runners
    that an earlier daemon left on another machine than the one where it runs now."""

    spec: LocationSpec
    send: Callable[[Location, Event], None]
    name: str = field(init=False)
    state: State = field(default_factory=State)
    runners: dict[RunnerId, Running] = field(default_factory=dict)
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    expected: tuple[Path, ...] = ()
    snapshot: Snapshot | None = None
    changed_at: float | None = None
    saved_at: float | None = None
    removed: bool = False
    loops: Loops = NO_LOOPS
    since: float = field(default_factory=time.monotonic)
    stops: int = 0
    restarted: deque[float] = field(default_factory=lambda: deque(maxlen=COUNTED))
    alarm: asyncio.TimerHandle | None = None
    earlier: list[asyncio.Future[Any]] = field(default_factory=list)
    waiters: set[asyncio.Future[None]] = field(default_factory=set)
    runs: RunCounts = NO_RUN

    def __post_init__(self) -> None:
        self.name = self.spec.name  # the same in every description of it

    def tell(self, event: Event) -> None:
        """Something has happened that concerns this location."""
        self.send(self, event)

    async def settled(self) -> None:
        """Returns when the attempt under way, if any, has had an outcome."""
        await self.settled_or_stopped(None)

    async def settled_or_stopped(self, stops: int | None) -> None:
        """As `settled`; but also returns once `stops` exceeds this number. A start right after that
        belongs to another order."""
        while self.state.phase in UNDER_WAY and (stops is None or self.stops == stops):
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.add(waiter)
            try:
                await waiter
            finally:
                self.waiters.discard(waiter)

    async def alone(self) -> None:
        """Returns when nothing runs any more that an earlier daemon left elsewhere."""
        while self.earlier:
            await asyncio.wait(self.earlier)
            self.earlier = [each for each in self.earlier if not each.done()]

    def changed_from(self, before: State, now: float) -> None:
        """Note a transition from the state `before`, at `now` (monotonic)."""
        if self.state.phase is not before.phase:
            self.since = now
            self.stops += before.phase is Phase.STOPPING
        if self.state.restarts > before.restarts:
            self.restarted.append(now)

    def restarts_within(self, seconds: float) -> int:
        """How often it was started again by itself in so many seconds; COUNTED means at least."""
        earliest = time.monotonic() - seconds
        return sum(at >= earliest for at in self.restarted)

    @property
    def environment(self) -> Environment | None:
        """The newest that was ready."""
        return self.state.environment

    @property
    def choice(self) -> Choice | None:
        """Why it is that one."""
        return self.state.choice

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that this depends on."""
        return (*self.state.inputs, *self.expected) if self.expected else self.state.inputs

    @property
    def last_exit(self) -> LastExit | None:
        return self.state.last_exit

    @property
    def serving(self) -> Running | None:
        """The runner that callers get."""
        number = self.state.serving
        return self.runners.get(number) if number is not None else None

    @property
    def sources(self) -> Mapping[str, str]:
        return self.snapshot.sources if self.snapshot is not None else {}


def tell_shortage(location: Location, number: int, what: str, error: BaseException) -> bool:
    """Whether `error` is a shortage of the machine. If so, tell the location that its build or
    start of this number has failed for it."""
    lacking = shortage(error)
    if lacking is None:
        return False
    lives = RunnerId(number) in location.runners
    found = shortage_problem(lacking, f"{what}: {error}")
    location.tell(MachineLacks(number, found, random.random(), lives))
    return True


def shortage_problem(lacking: int, what: str) -> Problem:
    """The problem for a shortage (`lacking` is a number of `errno`), with the daemon's own limits
    in its text."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return restarts.shortage_problem(lacking, what, time.time(), files=files, processes=processes)
