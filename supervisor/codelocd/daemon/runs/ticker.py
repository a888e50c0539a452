"""Ticks the schedules of native definitions: one heap of moments, one deadline, one task.

It looks again at least once a minute, so a clock that is set, or a machine that slept, is noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from typing import Protocol

from codelocd.core.registry import NOTHING, ListedLocation, Registry
from codelocd.daemon.runs.schedule_table import ScheduleTable
from codelocd.daemon.runs.tick_runs import TickRuns
from codelocd.runs.book import BookProblem
from codelocd.runs.catch_up import AHEAD, ON_TIME, Due, due
from codelocd.runs.cron import zone_of
from codelocd.runs.tick_book import KeptSchedule, TickBook
from codelocd.runs.ticks import (
    NewTick,
    Schedule,
    SchedulePlace,
    Tick,
    UnfitSchedule,
    coming,
    judged,
    place_of,
)

AT_MOST = 1.0
"""Looks a second, however often definitions change."""
FEW = 20
"""Schedules that take the loop's thread no more than some milliseconds."""
PRUNED, FIRST_PRUNED = 86400.0, 3600.0
"""Seconds between two times at which what is old is left out of the book, and before the first:
by then it is known what is still defined."""


class TickClock(Protocol):
    """What time it is, and what waits for it."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    async def wait(self, woken: asyncio.Event, seconds: float) -> None:
        """Returns when it is `woken`, or after so long."""


class WallClock:
    """This machine's."""

    def now(self) -> float:
        return time.time()

    async def wait(self, woken: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()


@dataclass(frozen=True, slots=True)
class TickedCode:
    """What the ticker asks of the daemon. `ticks`: whether schedules of a location are ours;
    `is_served`: whether its code can be run now."""

    registry: Callable[[], Registry]
    ticks: Callable[[str], bool]
    is_served: Callable[[str], bool]
    zone_of: Callable[[str], tzinfo] = zone_of


class Ticker:
    """Of the loop's thread. `report` gets lines for people. `looks`: how often it has looked."""

    def __init__(
        self,
        book: TickBook,
        table: ScheduleTable,
        runs: TickRuns,
        code: TickedCode,
        report: Callable[[str], None],
        clock: TickClock | None = None,
    ) -> None:
        self._book = book
        self._table = table
        self._runs = runs
        self._code = code
        self._report = report
        self._clock = clock or WallClock()
        self._woken = asyncio.Event()
        self._lock = asyncio.Lock()
        self._entries: dict[str, ListedLocation] = {}
        self._kept: dict[SchedulePlace, KeptSchedule] = {}
        self._put_off: set[SchedulePlace] = set()
        self._left: list[Tick] = []
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._looked = self._pruned = 0.0
        self.looks = 0

    async def begin(self) -> None:
        """Read what the book has, and tick from now on. Raises BookProblem."""
        self._kept = await asyncio.wrap_future(self._book.schedules())
        self._table.switches = await asyncio.wrap_future(self._book.switches())
        self._table.last = await asyncio.wrap_future(self._book.last())
        self._left = await asyncio.wrap_future(self._book.open_ticks())
        self._looked = self._clock.now()
        self._pruned = self._looked - PRUNED + FIRST_PRUNED
        self._runs.begin()
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    def wake(self) -> None:
        """Definitions, or what is served, may have changed."""
        self._woken.set()

    async def close(self) -> None:
        """Tick no more. What has a row and no run yet is the next daemon's."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._runs.close()

    async def switch(self, place: SchedulePlace, *, enabled: bool) -> None:
        """Have a schedule tick, from now on, or not. Raises BookProblem."""
        async with self._lock:
            await asyncio.wrap_future(self._book.switch(place, enabled, self._clock.now()))
            self._table.switches[place] = enabled
            if (schedule := self._table.schedules.get(place)) is not None:
                await self._take_up([schedule])
            if not enabled:
                await self._runs.drop_waiting(place, "the schedule was switched off")
        self.wake()

    # --- the loop -------------------------------------------------------------------------------

    async def _go_on(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  one schedule must not end all others
                self._tell(f"{type(error).__name__}: {error}")
            await self._clock.wait(asyncio.Event(), min(AT_MOST, self._seconds()))
            if (seconds := self._seconds()) > 0:
                await self._clock.wait(self._woken, seconds)

    def _seconds(self) -> float:
        """Until it is to look again."""
        first = self._table.times.first()
        if first is None:
            return ON_TIME
        return min(max(0.0, first - self._clock.now()), ON_TIME)

    async def _look(self) -> None:
        self.looks += 1
        async with self._lock:
            try:
                await self._heed_clock()
                await self._take_definitions()
                await self._tick()
                await self._prune()
                self._trouble = None
            except BookProblem as problem:
                self._tell(str(problem))

    def _tell(self, trouble: str) -> None:
        """Once, until it is over."""
        if self._trouble != trouble:
            self._trouble = trouble
            self._report(f"no schedule ticks: {trouble}")

    async def _heed_clock(self) -> None:
        """Where it goes back nothing repeats; but by more than a day, and it was wrong before."""
        before, self._looked = self._looked, self._clock.now()
        if self._looked < before - AHEAD:
            await self._take_up(list(self._table.schedules.values()))

    async def _tick(self) -> None:
        """Write what is due, then have it carried out."""
        now = self._clock.now()
        places = self._put_off.union(self._table.times.take(now))
        self._put_off.clear()
        schedules = []
        for place in places:
            schedule = self._table.schedules.get(place)
            if schedule is not None and self._table.is_enabled(schedule):
                if self._code.is_served(place.location):
                    schedules.append(schedule)
                else:
                    self._put_off.add(place)
        self._take_left()
        if schedules:
            try:
                await self._write(schedules, now)
            except BookProblem:
                self._put_off.update(schedule.place for schedule in schedules)
                raise

    async def _write(self, schedules: list[Schedule], now: float) -> None:
        cursors = {each.place: self._kept[each.place].cursor for each in schedules}
        found = await asyncio.to_thread(_all_due, schedules, cursors, now)
        comes = await self._comes(schedules, {p: its.cursor for p, its in found.items()})
        kept, ticks = {}, list[NewTick]()
        for schedule in schedules:
            place = schedule.place
            its = found[place]
            kept[place] = replace(self._kept[place], cursor=its.cursor, seen=now)
            occupied = self._runs.occupied(place)
            waiting = self._runs.waiting(place) + sum(one.place == place for one in self._left)
            ticks += its.missed(schedule)
            ticks += judged(schedule, its.times, its.late, occupied, waiting)
        written = await asyncio.wrap_future(self._book.write(kept, ticks, now))
        self._kept.update(kept)
        self._table.wrote(written)
        for tick in written:
            self._runs.take(tick)
        for schedule in schedules:
            self._table.put(schedule, comes[schedule.place])

    async def _comes(
        self, schedules: Sequence[Schedule], cursors: Mapping[SchedulePlace, float]
    ) -> Mapping[SchedulePlace, float | None]:
        """When each is due next; of many not found out on the loop's thread."""
        if len(schedules) > FEW:
            return await asyncio.to_thread(coming, schedules, cursors)
        return coming(schedules, cursors)

    def _take_left(self) -> None:
        """What an earlier daemon left, or was put off, as soon as it can be carried out."""
        left, self._left = [*self._left, *self._runs.put_off()], []
        for tick in left:
            if tick.place in self._table.schedules and self._code.is_served(tick.place.location):
                self._runs.take(tick)
            else:
                self._left.append(tick)

    # --- definitions ----------------------------------------------------------------------------

    async def _take_definitions(self) -> None:
        """Those of locations whose entries are others than at the last look: all together, for
        many that start come at once."""
        registry = self._code.registry()
        entries = dict[str, ListedLocation]()
        for location in {*self._entries, *registry.by_location}:
            entry = registry.entry(location) if self._code.ticks(location) else NOTHING
            if self._entries.get(location, NOTHING) is not entry:
                entries[location] = entry
        if not entries:
            return
        read = partial(_read, entries.values(), self._code.zone_of)
        count = sum(entry.counts["schedule"] for entry in entries.values())
        many = count > FEW or any(entry.is_large for entry in entries.values())
        schedules, unfit = await asyncio.to_thread(read) if many else read()
        await self._replace(entries, schedules, unfit)
        self._entries.update(entries)

    async def _replace(
        self,
        locations: Collection[str],
        schedules: Sequence[Schedule],
        unfit: Mapping[SchedulePlace, str],
    ) -> None:
        former = {place for place in self._table.schedules if place.location in locations}
        gone = former - {each.place for each in schedules}
        now = self._clock.now()
        kept = {place: replace(self._kept[place], seen=now) for place in gone}
        changed = [each for each in schedules if self._table.schedules.get(each.place) != each]
        await self._take_up(changed, kept)
        for place in gone:
            self._table.remove(place)
        others = {p: why for p, why in self._table.unfit.items() if p.location not in locations}
        self._table.unfit = {**others, **unfit}

    async def _take_up(
        self,
        schedules: Sequence[Schedule],
        more: Mapping[SchedulePlace, KeptSchedule] | None = None,
    ) -> None:
        """Schedules that are new, changed, or switched. `more`: what is written besides."""
        now = self._clock.now()
        kept = {each.place: self._succeeded(each, now) for each in schedules}
        written = {**(more or {}), **kept}
        if any(self._kept.get(place) != its for place, its in written.items()):
            await asyncio.wrap_future(self._book.write(written, (), now))
        self._kept.update(written)
        enabled = [each for each in schedules if self._table.is_enabled(each)]
        comes = await self._comes(enabled, {place: its.cursor for place, its in kept.items()})
        for schedule in schedules:
            self._table.put(schedule, comes.get(schedule.place))

    def _succeeded(self, schedule: Schedule, now: float) -> KeptSchedule:
        """What is kept of it from now on: another rule, and what was off, counts from now."""
        enabled, before = self._table.is_enabled(schedule), self._kept.get(schedule.place)
        if before is None or before.rule != schedule.rule or (enabled and not before.enabled):
            return KeptSchedule(now, schedule.rule, enabled, now)
        if before.cursor > now + AHEAD:
            self._report(
                f"{'/'.join(schedule.place)} had ticked for times that are more than a day ahead:"
                " the clock was wrong then; it counts from now"
            )
            return KeptSchedule(now, schedule.rule, enabled, now)
        return replace(before, enabled=enabled, seen=now)

    async def _prune(self) -> None:
        now = self._clock.now()
        if not 0 <= now - self._pruned < PRUNED:
            self._pruned = now
            registry = self._code.registry()
            listed = await asyncio.to_thread(_places, registry.by_location.values())
            await asyncio.wrap_future(self._book.prune(now, listed))


def _all_due(
    schedules: Iterable[Schedule], cursors: Mapping[SchedulePlace, float], now: float
) -> dict[SchedulePlace, Due]:
    return {each.place: due(each, cursors[each.place], now) for each in schedules}


def _read(
    entries: Iterable[ListedLocation], zone_of: Callable[[str], tzinfo]
) -> tuple[list[Schedule], dict[SchedulePlace, str]]:
    """The schedules of these locations, and why others cannot tick."""
    found, unfit = list[Schedule](), dict[SchedulePlace, str]()
    for definition in (each for entry in entries for each in entry.listed.values()):
        if definition["kind"] == "schedule":
            try:
                found.append(Schedule.of(definition, zone_of))
            except UnfitSchedule as error:
                unfit[place_of(definition)] = str(error)
    return found, unfit


def _places(entries: Iterable[ListedLocation]) -> set[SchedulePlace]:
    kinds = ("schedule", "sensor")
    return {place_of(d) for e in entries for d in e.listed.values() if d["kind"] in kinds}
