"""Asks the sensors of native definitions, each again and again, and starts what they ask for.

The pause counts from the end of an evaluation, so one sensor is never asked twice at a time. Its
cursor is in the book together with the runs that it asked for, or neither is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from codelocd.core.registry import NOTHING, ListedLocation, Registry
from codelocd.daemon.runs.parts import present
from codelocd.runs import sensing
from codelocd.runs.book import BookProblem
from codelocd.runs.evaluation import Evaluation, Starter
from codelocd.runs.events import Moment
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.sensing import KeptSensor, Sensor
from codelocd.runs.sensor_book import SensorBook
from codelocd.runs.ticks import DueTimes, SchedulePlace

AT_LEAST = 60.0
"""Seconds after which it is looked at again what is to be asked, also where nothing woke this."""
WRITTEN = 60.0
"""Seconds after which an evaluation is written that has changed nothing but its own time."""
PRUNED = 86400.0
"""Seconds between two times at which what is old is left out of the book."""


@dataclass(frozen=True, slots=True)
class SensorParts:
    """What sensors ask of the daemon. `asks`: whether sensors of a location are ours; `serves`: the
    name of its code that can be asked now. `switched`: whether one was switched on or off.
    `fit`: a wish with the policy of its job; `run`: one by its number; `take_in`: runs that are in
    the book already."""

    registry: Callable[[], Registry]
    asks: Callable[[str], bool]
    serves: Callable[[str], str | None]
    switched: Callable[[SchedulePlace], bool | None]
    evaluate: Callable[[Starter], Awaitable[Evaluation]]
    fit: Callable[[RunWish], RunWish]
    run: Callable[[RunId], Awaitable[RunRecord | None]]
    take_in: Callable[[Sequence[RunRecord]], None]
    report: Callable[[str], None]
    clock: Callable[[], Moment] = present


class Sensors:
    """Of the loop's thread."""

    def __init__(self, book: SensorBook, parts: SensorParts) -> None:
        self._book = book
        self._parts = parts
        self._entries: dict[str, ListedLocation] = {}
        self._sensors: dict[SchedulePlace, Sensor] = {}
        self._kept: dict[SchedulePlace, KeptSensor] = {}
        self._written: dict[SchedulePlace, KeptSensor] = {}
        self._due = DueTimes()
        self._asked: dict[SchedulePlace, asyncio.Task[None]] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._looked: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None
        self._pruned = parts.clock().clock

    async def begin(self) -> None:
        """Read what the book has, and ask from now on. Raises BookProblem."""
        self._kept = await asyncio.wrap_future(self._book.sensors())
        self._written = dict(self._kept)
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    def wake(self) -> None:
        """Definitions, what is served, or what is switched on may have changed."""
        self._looked = None
        self._woken.set()

    def switched(self, place: SchedulePlace) -> None:
        """It can be asked from now on, or no more."""
        if not self.is_enabled(place):
            self._end(place)
        self._schedule(place)
        self._woken.set()

    async def close(self) -> None:
        """Ask no more; what is being asked is ended, and is asked again by the next daemon."""
        tasks = [*self._asked.values(), *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._writing, return_exceptions=True)
        for place, kept in self._kept.items():
            if self._written.get(place) != kept:
                await self._keep(place, kept)

    # --- the loop -------------------------------------------------------------------------------

    async def _go_on(self) -> None:
        while True:
            self._woken.clear()
            if self._looked is None or self._parts.clock().clock - self._looked >= AT_LEAST:
                self._looked = self._parts.clock().clock
                await self._take_definitions()
            self._ask_due()
            await self._prune()
            first = self._due.first()
            seconds = AT_LEAST if first is None else first - self._parts.clock().clock
            waiting = asyncio.ensure_future(self._woken.wait())
            await asyncio.wait([waiting], timeout=min(AT_LEAST, max(0.0, seconds)))
            waiting.cancel()

    def _ask_due(self) -> None:
        """One that cannot be asked now is due as soon as it can be."""
        for place in self._due.take(self._parts.clock().clock):
            if place not in self._asked and self._can_ask(place):
                task = asyncio.get_running_loop().create_task(self._ask(self._sensors[place]))
                self._asked[place] = task
                task.add_done_callback(partial(self._over, place))

    def _can_ask(self, place: SchedulePlace) -> bool:
        return self.is_enabled(place) and self._parts.serves(place.location) is not None

    def _over(self, place: SchedulePlace, task: asyncio.Task[None]) -> None:
        if self._asked.get(place) is task:
            del self._asked[place]
        self._schedule(place)
        self._woken.set()

    def _schedule(self, place: SchedulePlace) -> None:
        """Have it asked when its time comes, if it can be."""
        sensor, now = self._sensors.get(place), self._parts.clock()
        if sensor is None or place in self._asked or not self._can_ask(place):
            self._due.put(place, None)
            return
        code = self._parts.serves(place.location)
        seconds = sensing.waits(sensor, self._of(place), now.at, code)
        self._due.put(place, now.clock + seconds)

    def _of(self, place: SchedulePlace) -> KeptSensor:
        return self._kept.get(place, KeptSensor())

    def is_enabled(self, place: SchedulePlace) -> bool:
        switched, sensor = self._parts.switched(place), self._sensors.get(place)
        return switched if switched is not None else sensor is None or sensor.enabled

    # --- one evaluation -------------------------------------------------------------------------

    async def _ask(self, sensor: Sensor) -> None:
        place, kept = sensor.place, self._of(sensor.place)
        try:
            last = None if kept.run is None else await self._parts.run(kept.run)
            found = await self._parts.evaluate(Starter(*place, cursor=kept.cursor, last_run=last))
            await self._heed(sensor, kept, found)
            self._trouble = None
        except BookProblem as problem:
            self._tell_trouble(problem)
            self._failed(place, kept, str(problem))
        except Exception as error:  # noqa: BLE001  else it would be asked without a pause
            name = "/".join(place)
            self._parts.report(f"sensor {name}: a fault of codelocd: {error!r}")
            self._failed(place, kept, f"a fault of codelocd: {error!r}")

    def _failed(self, place: SchedulePlace, kept: KeptSensor, why: str) -> None:
        """Nothing of the evaluation counts."""
        failed = Evaluation(summary=why, code=self._parts.serves(place.location))
        self._kept[place] = sensing.looked(kept, failed, self._parts.clock().at)

    async def _heed(self, sensor: Sensor, kept: KeptSensor, found: Evaluation) -> None:
        """Raises BookProblem; then nothing of it counts."""
        place, now = sensor.place, self._parts.clock().at
        if found.failed or not found.runs:
            after = sensing.looked(kept, found, now)
            self._kept[place] = after
            if after.failures == 1:  # one line for all in a row
                self._parts.report(f"sensor {'/'.join(place)} failed: {found.summary}")
            if self._is_worth_writing(place, after):
                await self._keep(place, after)
            return
        wishes = [self._parts.fit(wish) for wish in sensing.wishes(sensor, found.runs)]
        looked = partial(sensing.looked, kept, found, now)
        writing = asyncio.get_running_loop().create_task(self._start(place, wishes, looked, now))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        await asyncio.shield(writing)

    async def _start(
        self,
        place: SchedulePlace,
        wishes: Sequence[RunWish],
        looked: Callable[[Sequence[RunRecord]], KeptSensor],
        now: float,
    ) -> None:
        """What is in the book is known here, too, also where the asking is being ended."""
        kept, new = await asyncio.wrap_future(self._book.evaluated(place, wishes, looked, now))
        self._kept[place] = self._written[place] = kept
        self._parts.take_in(new)

    def _is_worth_writing(self, place: SchedulePlace, kept: KeptSensor) -> bool:
        before = self._written.get(place)
        if before is None or before.look is None or kept.look is None:
            return True
        same = replace(kept.look, at=before.look.at) == before.look
        changed = not same or replace(kept, look=before.look) != before
        return changed or not 0 <= kept.look.at - before.look.at < WRITTEN

    async def _keep(self, place: SchedulePlace, kept: KeptSensor) -> None:
        try:
            await asyncio.wrap_future(self._book.keep(place, kept, self._parts.clock().at))
            self._written[place] = kept
        except BookProblem as problem:
            self._tell_trouble(problem)

    def _tell_trouble(self, problem: BookProblem) -> None:
        if self._trouble != str(problem):
            self._trouble = str(problem)
            self._parts.report(f"what sensors ask for does not start: {problem}")

    # --- definitions ----------------------------------------------------------------------------

    async def _take_definitions(self) -> None:
        """Those of locations whose entries are others than before; a reload resets nothing."""
        registry = self._parts.registry()
        for location in {*self._entries, *registry.by_location}:
            entry = registry.entry(location) if self._parts.asks(location) else NOTHING
            if self._entries.get(location, NOTHING) is not entry:
                found = await asyncio.to_thread(_read, entry) if entry.is_large else _read(entry)
                self._entries[location] = entry
                self._replace(location, found)
        for place in tuple(self._sensors):
            if not self._can_ask(place):
                self.switched(place)
            elif self._due.of(place) is None:
                self._schedule(place)

    def _end(self, place: SchedulePlace) -> None:
        """Whatever it may answer by now does not count."""
        if (task := self._asked.get(place)) is not None and not task.cancelling():
            task.cancel()

    def _replace(self, location: str, found: Mapping[SchedulePlace, Sensor]) -> None:
        for place in [place for place in self._sensors if place.location == location]:
            if place not in found:
                del self._sensors[place]
                self._due.put(place, None)
                self._end(place)
        self._sensors.update(found)
        for place in found:
            self._schedule(place)

    async def _prune(self) -> None:
        now = self._parts.clock()
        if now.clock - self._pruned >= PRUNED:
            self._pruned = now.clock
            try:
                await asyncio.wrap_future(self._book.prune(now.at, tuple(self._sensors)))
            except BookProblem as problem:
                self._tell_trouble(problem)

    # --- what is told ---------------------------------------------------------------------------

    @property
    def kept(self) -> Mapping[SchedulePlace, KeptSensor]:
        return self._kept

    def next(self, place: SchedulePlace) -> float | None:
        """When it is asked next, in Unix seconds; None: it is being asked, or is not asked."""
        due, now = self._due.of(place), self._parts.clock()
        return None if due is None else now.at + max(0.0, due - now.clock)


def _read(entry: ListedLocation) -> dict[SchedulePlace, Sensor]:
    found = {}
    for definition in entry.listed.values():
        if definition["kind"] == "sensor":
            try:
                sensor = Sensor.of(definition)
            except (KeyError, TypeError, ValueError):
                continue  # it is Dagster's, or damaged: neither is asked here
            found[sensor.place] = sensor
    return found
