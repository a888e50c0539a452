"""The schedules of native definitions that a daemon knows: which tick, when, what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codelocd.rpc.errors import RpcError
from codelocd.runs.ticks import DueTimes, Schedule, SchedulePlace, Tick

if TYPE_CHECKING:
    from codelocd.runs.sensing import KeptSensor
    from codelocd.runs.tick_book import TickBook


@dataclass(slots=True)
class ScheduleTable:
    """`unfit`: why others cannot tick. `switches`: what was switched on or off, whatever the code
    says. `last`: the rows of the newest tick, and of what was left out with it."""

    schedules: dict[SchedulePlace, Schedule] = field(default_factory=dict)
    unfit: dict[SchedulePlace, str] = field(default_factory=dict)
    switches: dict[SchedulePlace, bool] = field(default_factory=dict)
    last: dict[SchedulePlace, list[Tick]] = field(default_factory=dict)
    times: DueTimes = field(default_factory=DueTimes)

    def is_enabled(self, schedule: Schedule) -> bool:
        return self.switches.get(schedule.place, schedule.enabled)

    def put(self, schedule: Schedule, comes: float | None) -> None:
        """It is defined so, and due then if it is on."""
        self.schedules[schedule.place] = schedule
        self.times.put(schedule.place, comes if self.is_enabled(schedule) else None)

    def remove(self, place: SchedulePlace) -> None:
        """It is defined no more."""
        self.times.put(place, None)
        del self.schedules[place]

    def wrote(self, ticks: list[Tick]) -> None:
        """Rows that are new."""
        for place in {tick.place for tick in ticks}:
            self.last[place] = []
        for tick in ticks:
            self.last[tick.place].append(tick)

    def changed(self, tick: Tick) -> None:
        """A row has changed."""
        rows = self.last.get(tick.place, [])
        self.last[tick.place] = [tick if each.id == tick.id else each for each in rows]


@dataclass(frozen=True, slots=True)
class KnownTicks:
    """What is known of schedules and sensors now. `sensors`: what is kept of them; `asked`: when
    one is asked next, None where none is."""

    table: ScheduleTable
    sensors: Mapping[SchedulePlace, KeptSensor] = field(default_factory=dict)
    asked: Callable[[SchedulePlace], float | None] = lambda _place: None
    book: TickBook | None = None

    async def ticks(self, place: SchedulePlace, count: int) -> list[Tick]:
        """The newest first. Raises RpcError."""
        if self.book is None:
            return []
        from codelocd.runs.book import BookProblem

        try:
            return await asyncio.wrap_future(self.book.ticks(place, count))
        except BookProblem as problem:
            raise RpcError("down", str(problem)) from problem
