"""A ticker with a clock of the test's, a real book, and runs that end when the test says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from codelocd.core.registry import Registry
from codelocd.daemon.runs.schedule_table import ScheduleTable
from codelocd.daemon.runs.tick_runs import TickRuns
from codelocd.daemon.runs.ticker import TickedCode, Ticker
from codelocd.runs.book import RunBook
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish
from codelocd.runs.tick_book import TickBook
from codelocd.runs.ticks import Schedule, SchedulePlace, Tick

PLACE = SchedulePlace("sales", "__repository__", "nightly")
DEADLINE = 20.0


def moment(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def definition(name: str = "nightly", **more: Any) -> dict[str, Any]:
    """A schedule as a runner lists it."""
    usual = {"cron": "0 * * * *", "timezone": "UTC", "job": "report"}
    return {"kind": "schedule", "repository": "__repository__", "name": name, **usual, **more}


class ClockOfTest:
    """Stands still but for `advance` and `jump`."""

    def __init__(self, now: float) -> None:
        self.time = now
        self._deadline = now
        self._woken = asyncio.Event()
        self._reached = asyncio.Event()
        self._waits = asyncio.Event()

    def now(self) -> float:
        return self.time

    async def wait(self, woken: asyncio.Event, seconds: float) -> None:
        self._deadline = self.time + seconds
        self._woken = woken
        self._reached.clear()
        self._waits.set()
        tasks = [asyncio.ensure_future(each.wait()) for each in (woken, self._reached)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waits.clear()
            for task in tasks:
                task.cancel()

    def jump(self, seconds: float) -> None:
        """It shows another time, and nothing of any waiting goes on meanwhile."""
        self.time += seconds
        self._deadline += seconds

    async def advance(self, seconds: float) -> None:
        """The time passes, and whatever waits for a part of it goes on then."""
        end = self.time + seconds
        while True:
            if self._woken.is_set():
                self._waits.clear()
            await asyncio.wait_for(self._waits.wait(), DEADLINE)
            if self._deadline > end:
                break
            self.time = max(self.time, self._deadline)
            self._waits.clear()
            self._reached.set()
        self.time = end


@dataclass
class Answer:
    """What came of a schedule's function."""

    runs: tuple[Any, ...] = ()
    skipped: str | None = None
    summary: str | None = None


@dataclass(frozen=True)
class Asked:
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


class RunsOfTest:
    """Runs in memory: they go on until `finish`, or end at once."""

    def __init__(self, *, end_at_once: bool = True) -> None:
        self.all: dict[int, RunRecord] = {}
        self.end_at_once = end_at_once
        self._changed = asyncio.Event()

    async def submit(self, wish: RunWish) -> tuple[RunRecord, bool]:
        for run in self.all.values():
            if run.wish.key == wish.key:
                return run, False
        state = RunState.SUCCEEDED if self.end_at_once else RunState.RUNNING
        run = RunRecord(RunId(len(self.all) + 1), uuid4().hex, wish, 0.0, state)
        self.all[run.id] = run
        return run, True

    def unfinished(self) -> Mapping[RunId, RunRecord]:
        return {run.id: run for run in self.all.values() if not run.state.is_final}

    async def ended(self, run: RunId) -> RunRecord:
        while not self.all[run].state.is_final:
            await self._changed.wait()
        return self.all[run]

    def finish(self, number: int) -> None:
        run = RunId(number)
        self.all[run] = replace(self.all[run], state=RunState.SUCCEEDED)
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def times(self) -> list[float | None]:
        return [run.wish.scheduled_for for run in self.all.values()]


class TickerOfTest:
    """One daemon after another on one book; `begin` and `end` are a daemon's."""

    def __init__(self, folder: Path, now: float) -> None:
        self._path = folder / "book.sqlite"
        self.clock = ClockOfTest(now)
        self.runs = RunsOfTest()
        self.registry = Registry()
        self.answer: Callable[[Tick], Answer] = lambda _tick: Answer((Asked(),))
        self.evaluated: list[float] = []
        self.holds = asyncio.Event()
        self.holds.set()
        self.served = True
        self.ours = True
        self.said: list[str] = []

    def defines(self, *definitions: dict[str, Any], location: str = "sales") -> None:
        self.registry, _ = self.registry.publish(location, definitions)

    async def begin(self) -> None:
        book = RunBook(self._path)
        self.book = TickBook(book)
        self._closed = book.close
        self.table = ScheduleTable()
        code = TickedCode(lambda: self.registry, lambda _: self.ours, lambda _: self.served)
        ticks = TickRuns(self.book, self.runs, self._evaluate, self.table, self.said.append)
        self.ticker = Ticker(self.book, self.table, ticks, code, self.said.append, self.clock)
        await self.ticker.begin()
        await self.clock.advance(0)

    async def end(self) -> None:
        await self.ticker.close()
        self._closed()

    async def _evaluate(self, tick: Tick, _schedule: Schedule) -> Answer:
        self.evaluated.append(tick.scheduled_for)
        await self.holds.wait()
        return self.answer(tick)

    async def rows(self, place: SchedulePlace = PLACE) -> list[Tick]:
        """The oldest first, once nothing is being carried out any more."""
        async with asyncio.timeout(DEADLINE):
            while True:
                found = await asyncio.wrap_future(self.book.ticks(place, 10_000))
                if not self.holds.is_set() or all(each.state != "due" for each in found):
                    return found[::-1]
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def ticking(folder: Path, now: str, *definitions: Any) -> AsyncIterator[TickerOfTest]:
    world = TickerOfTest(folder, moment(now))
    world.defines(*(definitions or [definition()]))
    await world.begin()
    try:
        yield world
    finally:
        await world.end()
