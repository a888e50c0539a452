"""How soon a runner that grows is seen to be beyond its `memory_limit`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codelocd.core.events import Condemned, Event, LoadFailed
from codelocd.core.limits import MEMORY_LATEST, MEMORY_SOONEST, look_at_memory_again
from codelocd.core.state import State
from codelocd.core.timing import Timing
from codelocd.daemon.limits import MemoryWatch, held_runner
from codelocd.daemon.location import Location, Running
from codelocd.daemon.usage import memory_of
from codelocd.model import LocationSpec, Policy, RunnerId, Target

MIB = 1024 * 1024


class Growing:
    """A runner that takes so many MiB a second from 20 MiB on, under a clock of its own."""

    def __init__(self, speed: float, limit: int, state: State) -> None:
        self.now, self.speed, self.looks = 100.0, speed, 0
        self.told: list[Event] = []
        self.figure = 0.0
        policy = Policy(memory_limit=limit * MIB)
        spec = LocationSpec("x", Target("module", "x"), Path("/"), "", policy=policy)
        self.location = Location(spec, lambda _, event: self.told.append(event))
        self.location.state = state
        self.watch = MemoryWatch(self._look, lambda: self.now)

    def _look(self, limits: Mapping[int, int]) -> tuple[dict[int, int], float]:
        self.looks += 1
        self.figure = 20 + (self.now - 100.0) * self.speed
        return {pid: int(self.figure * MIB) for pid in limits}, 0.0005

    async def run(self, seconds: float) -> None:
        exited = asyncio.get_running_loop().create_future()
        handle: Any = SimpleNamespace(pid=1, exited=exited)
        order: Any = SimpleNamespace(group=None)
        running = Running(handle, order, None, None, 0.0, Timing())  # type: ignore[arg-type]
        self.watch.begin(held_runner(self.location, RunnerId(1), running))
        assert self.watch._work is not None
        self.watch._work.cancel()  # the clock moves when it is told to
        while self.now < 100.0 + seconds and (watched := dict(self.watch._watched)):
            self.now = max(self.now, min(each.due for each in watched.values()))
            await self.watch.sweep(watched)


SERVING = State(serving=RunnerId(1))


@pytest.mark.parametrize(("speed", "limit"), [(20, 60), (5, 60), (100, 512), (500, 2048)])
async def test_a_runner_that_grows_is_ended_soon_after_its_limit(speed: int, limit: int) -> None:
    growing = Growing(speed, limit, SERVING)
    await growing.run(3600.0)
    (event,) = growing.told
    assert isinstance(event, Condemned)
    assert event.problem.kind == "limit"
    assert growing.figure <= limit + max(0.2 * speed, 0.05 * limit)


async def test_a_load_beyond_the_limit_has_failed() -> None:
    growing = Growing(20, 60, State(candidate=RunnerId(1)))
    await growing.run(3600.0)
    (event,) = growing.told
    assert isinstance(event, LoadFailed)


async def test_a_runner_far_from_its_limit_is_looked_at_seldom() -> None:
    growing = Growing(0, 2048, SERVING)
    await growing.run(600.0)
    assert growing.told == []
    assert growing.looks <= 70


def test_looks_take_no_more_than_their_share() -> None:
    def again(used: int, limit: int, cost: float) -> float:
        return look_at_memory_again(used * MIB, limit * MIB, 0.0, pause=60.0, cost=cost)

    assert again(59, 60, 0.0) == MEMORY_SOONEST
    assert again(59, 60, 0.02) == pytest.approx(1.0)
    assert again(0, 10**6, 0.0) == MEMORY_LATEST


def test_what_is_resident_and_beyond_the_limit_is_counted_by_its_share() -> None:
    own = os.getpid()
    resident, seconds = memory_of({own: 2**40})
    shared, _ = memory_of({own: 1})
    assert shared[own] > 0
    assert resident[own] > 0
    assert seconds >= 0.0
    assert memory_of({2**30: 1})[0] == {}
