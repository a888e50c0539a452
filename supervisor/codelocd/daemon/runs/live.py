"""One attempt that goes on, and the limits that it is held to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from codeloc_envs.problem import shortage
from codelocd.daemon.limits import Excess, Held, LocationLimits
from codelocd.daemon.location import Leases, Location
from codelocd.daemon.locations import Locations
from codelocd.daemon.runs.attempts import signal_attempt
from codelocd.model import Exit, Policy
from codelocd.process import tasks
from codelocd.process.child import Child
from codelocd.runners.api import RunnerSpec
from codelocd.runs.events import MemoryExceeded, RunEvent
from codelocd.runs.folder import is_held
from codelocd.runs.model import RunId, RunRecord
from codelocd.storage.paths import lock_holder

WHAT = "the run"
"""What is beyond a limit, as summaries call it."""
SOON, LATE = 0.05, 1.0
"""Seconds between two looks at a lock: the pause doubles."""


@dataclass(slots=True)
class LiveAttempt:
    """A child of this daemon's. `events`: the reading end of its FIFO. `group`: its control group.

    `memory_limit`: in place of its location's; `former`: the limits that it began with, which hold
    where the location is gone. `lease`: of its environment; an adopted one holds that itself.
    `summary`: why it is being ended, where no other part says so.
    """

    run: RunId
    number: int
    child: Child
    events: int | None
    group: str | None
    location: str
    memory_limit: int | None
    former: Policy
    lease: Leases | None = None
    summary: str | None = None

    def signal(self, how: Literal["terminate", "kill"]) -> None:
        signal_attempt(self.child, how)


@dataclass(frozen=True, slots=True)
class LockedAttempt:
    """A process that an earlier daemon could not leave to its holder: its lock alone shows it."""

    folder: Path
    number: int
    location: str

    @property
    def lock(self) -> Path:
        return self.folder / f"lock.{self.number}"

    @property
    def pid(self) -> int | None:
        """None where it has ended."""
        return lock_holder(self.lock)

    def signal(self, how: Literal["terminate", "kill"]) -> None:
        pid = self.pid
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if how == "terminate":
                os.kill(pid, signal.SIGTERM)
            else:
                tasks.end(tasks.freeze(pid) or {pid})

    async def gone(self) -> None:
        """Returns when no process holds the lock any more."""
        pause = SOON
        while await self._is_held():
            await asyncio.sleep(pause)
            pause = min(2 * pause, LATE)

    async def _is_held(self) -> bool:
        try:
            return await asyncio.to_thread(is_held, self.lock)
        except (OSError, RuntimeError) as error:
            if shortage(error):
                return True  # it is looked at again
            raise


class AttemptLimits:
    """Those of attempts: what a run states comes before what its location does."""

    def __init__(self, limits: LocationLimits, locations: Locations) -> None:
        self._limits = limits
        self._locations = locations

    def policy(self, run: RunRecord) -> Policy:
        location = self._locations.get(run.wish.location)
        policy = Policy() if location is None else location.spec.policy
        return _with(run.wish.policy.memory_limit, policy)

    def told(self, order: RunnerSpec, run: RunRecord) -> RunnerSpec:
        """The order with the limits that hold before any user code."""
        return self._limits.told(order, self.policy(run))

    def hold(self, live: LiveAttempt, tell: Callable[[RunEvent], None]) -> None:
        """Watch it until it ends."""
        child = live.child

        async def over(excess: Excess) -> None:
            problem, groups = excess.problem(WHAT), frozenset[int]()
            if excess.key == "memory_limit":
                tell(MemoryExceeded(problem.summary))
            else:  # stopped first, so that they start no others
                live.summary = problem.summary
                groups = await asyncio.to_thread(tasks.freeze, child.pid)
            child.kill()
            await asyncio.to_thread(tasks.end, groups - {child.pid})

        location = self._locations.get(live.location)
        own = partial(self._own, live, location)
        self._limits.hold(Held(location, child.pid, child.exited, live.group, over, own))

    def ended(self, live: LiveAttempt, end: Exit, tell: Callable[[RunEvent], None]) -> None:
        """It is gone: tell where the kernel ended it for its memory, and give its group back."""
        location = self._locations.get(live.location)
        policy = live.former if location is None else location.spec.policy
        problem = self._limits.ended(live.group, end, _with(live.memory_limit, policy), WHAT)
        if problem is not None:
            tell(MemoryExceeded(problem.summary))

    @staticmethod
    def _own(live: LiveAttempt, location: Location | None, policy: Policy) -> Policy:
        return _with(live.memory_limit, live.former if location is None else policy)


def _with(own: int | None, policy: Policy) -> Policy:
    return policy if own is None else replace(policy, memory_limit=own)
