"""Carries out ticks that have a row: has the schedule's function evaluated, and asks for its runs.

May be interrupted at any moment: the row stays, and each run has a key by which it is there once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from codelocd.daemon.runs.schedule_table import ScheduleTable
from codelocd.runs.book import BookProblem
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.tick_book import TickBook
from codelocd.runs.ticks import Schedule, SchedulePlace, Tick


class WishedRun(Protocol):
    """A run that a schedule's function asks for."""

    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def key(self) -> str | None: ...


class EvaluatedTick(Protocol):
    """What came of a schedule's function. `skipped`: why it asks for no run; `summary`: why it
    failed, in one line."""

    @property
    def runs(self) -> Sequence[WishedRun]: ...
    @property
    def skipped(self) -> str | None: ...
    @property
    def summary(self) -> str | None: ...


class RunStarter(Protocol):
    """The keeper of runs, as far as schedules need it."""

    async def submit(self, wish: RunWish) -> tuple[RunRecord, bool]:
        """A run, and whether it is new. Raises BookProblem, and ValueError for a wish that cannot
        be met."""
        ...

    def unfinished(self) -> Mapping[RunId, RunRecord]: ...

    async def ended(self, run: RunId) -> RunRecord:
        """Waits until it has."""
        ...


@dataclass(slots=True)
class _Going:
    """What goes on of one schedule. `ticks`: being evaluated; `runs`: not ended; `waiting`: the
    ticks that come after them."""

    ticks: dict[int, Tick] = field(default_factory=dict)
    runs: set[RunId] = field(default_factory=set)
    waiting: deque[Tick] = field(default_factory=deque)

    def __bool__(self) -> bool:
        return bool(self.ticks or self.runs or self.waiting)


class TickRuns:
    """`evaluate` never raises but CancelledError. `report` gets lines for people."""

    def __init__(
        self,
        book: TickBook,
        runs: RunStarter,
        evaluate: Callable[[Tick, Schedule], Awaitable[EvaluatedTick]],
        table: ScheduleTable,
        report: Callable[[str], None],
    ) -> None:
        self._book = book
        self._runs = runs
        self._evaluate = evaluate
        self._table = table
        self._report = report
        self._going: defaultdict[SchedulePlace, _Going] = defaultdict(_Going)
        self._tasks: set[asyncio.Task[None]] = set()
        self._put_off: list[Tick] = []
        self._failing: set[SchedulePlace] = set()
        self._is_closed = False

    def begin(self) -> None:
        """Take up the runs of schedules that go on already."""
        for number, run in self._runs.unfinished().items():
            place = _place_of(run)
            if place is not None:
                self._follow(place, number)

    def occupied(self, place: SchedulePlace) -> str | None:
        """What still goes on of the schedule, as the reason for which a tick is skipped."""
        going = self._going.get(place)
        if going is None:
            return None
        if going.runs:
            return f"run {min(going.runs)} still running"
        return "the tick before is still being evaluated" if going.ticks else None

    def waiting(self, place: SchedulePlace) -> int:
        """How many ticks of the schedule wait for what goes on."""
        going = self._going.get(place)
        return len(going.waiting) if going is not None else 0

    def put_off(self) -> list[Tick]:
        """Those that could not be carried out, which are to be taken another time."""
        found, self._put_off = self._put_off, []
        return found

    def take(self, tick: Tick) -> None:
        """Carry out a row that is `due`, or have one that is `waiting` wait for its turn."""
        if tick.state == "waiting":
            self._going[tick.place].waiting.append(tick)
            self._go_on(tick.place)
        elif tick.state == "due":
            self._begin(tick)

    async def drop_waiting(self, place: SchedulePlace, why: str) -> None:
        """Skip the ticks that wait. Raises BookProblem."""
        going = self._going.get(place)
        if going is not None and going.waiting:
            dropped = [replace(tick, state="skipped", why=why) for tick in going.waiting]
            going.waiting.clear()
            await self._settle(dropped)

    async def close(self) -> None:
        """What goes on is left to the next daemon."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- one tick -------------------------------------------------------------------------------

    def _begin(self, tick: Tick) -> None:
        self._going[tick.place].ticks[tick.id] = tick
        self._do(self._carried_out(tick))

    async def _carried_out(self, tick: Tick) -> None:
        try:
            settled = await self._outcome(tick)
            if settled is not None:
                await self._settle([settled])
                self._tell_failure(settled)
        except BookProblem as problem:
            self._put_off.append(tick)
            self._report(f"a tick of {'/'.join(tick.place)} waits: {problem}")
        except Exception as error:  # noqa: BLE001  it must not seem to be going on for ever
            self._put_off.append(tick)
            self._report(f"a tick of {'/'.join(tick.place)} waits: {error!r}")
        finally:
            self._going[tick.place].ticks.pop(tick.id, None)
            self._go_on(tick.place)

    async def _outcome(self, tick: Tick) -> Tick | None:
        """The row as it is from then on; None: it stays as it is, and is carried out later."""
        schedule = self._table.schedules.get(tick.place)
        if schedule is None:
            self._put_off.append(tick)
            return None
        found = await self._evaluate(tick, schedule)
        if found.summary is not None:
            return replace(tick, state="failed", why=found.summary)
        if not found.runs:
            return replace(tick, state="skipped", why=found.skipped)
        started: list[int] = []
        for wish in _wishes(tick, schedule, found.runs):
            try:
                run, _ = await self._runs.submit(wish)
            except ValueError as error:
                return replace(tick, state="failed", why=str(error), runs=tuple(started))
            started.append(run.id)
            if not run.state.is_final:
                self._follow(tick.place, run.id)
        return replace(tick, state="run", why=None, runs=tuple(dict.fromkeys(started)))

    def _tell_failure(self, tick: Tick) -> None:
        """In one line for all failures in a row."""
        if tick.state != "failed":
            self._failing.discard(tick.place)
        elif tick.place not in self._failing:
            self._failing.add(tick.place)
            self._report(f"a tick of {'/'.join(tick.place)} failed: {tick.why}")

    async def _settle(self, ticks: Sequence[Tick]) -> None:
        await asyncio.wrap_future(self._book.settle(ticks))
        for tick in ticks:
            self._table.changed(tick)

    # --- one after the other --------------------------------------------------------------------

    def _follow(self, place: SchedulePlace, run: RunId) -> None:
        runs = self._going[place].runs
        if run not in runs:
            runs.add(run)
            self._do(self._end(place, run))

    async def _end(self, place: SchedulePlace, run: RunId) -> None:
        await self._runs.ended(run)
        self._going[place].runs.discard(run)
        self._go_on(place)

    def _go_on(self, place: SchedulePlace) -> None:
        """Begin the tick that waits, where nothing goes on."""
        going = self._going[place]
        if self._is_closed:
            return
        if going.waiting and not (going.ticks or going.runs):
            self._begin(replace(going.waiting.popleft(), state="due", why=None))
        elif not going:
            del self._going[place]

    def _do(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _wishes(tick: Tick, schedule: Schedule, runs: Sequence[WishedRun]) -> Iterator[RunWish]:
    """Each with a key of the schedule's own: as its function gave it, or by its tick."""
    location, repository, name = tick.place
    own = f"schedule {repository}/{name}"
    by = {"kind": "schedule", "name": name, "repository": repository, "timezone": schedule.timezone}
    for number, wished in enumerate(runs):
        key = f": {wished.key}" if wished.key else f"@{tick.scheduled_for:.0f}#{number}"
        yield RunWish(
            location,
            repository,
            job=schedule.job,
            params=wished.params,
            tags=wished.tags,
            by={**by, "scheduled_for": tick.scheduled_for},
            key=own + key,
            scheduled_for=tick.scheduled_for,
        )


def _place_of(run: RunRecord) -> SchedulePlace | None:
    """Of the schedule that started it; None: none did."""
    by = run.wish.by
    if by.get("kind") != "schedule":
        return None
    return SchedulePlace(run.wish.location, run.wish.repository, str(by.get("name")))
