"""What starts runs by itself: schedules, and sensors. Opened with the first that a location has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from codelocd.daemon.subscriptions import LocalSubscriber
from codelocd.rpc.errors import RpcError

if TYPE_CHECKING:
    from codelocd.core.registry import Registry
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.publisher import Publisher
    from codelocd.daemon.runs.evaluations import Evaluations
    from codelocd.daemon.runs.opened import OpenRuns
    from codelocd.daemon.runs.opening import Runs
    from codelocd.daemon.runs.schedule_table import KnownTicks, ScheduleTable
    from codelocd.daemon.runs.sensors import Sensors
    from codelocd.daemon.runs.ticker import TickClock, Ticker
    from codelocd.daemon.subscriptions import Hub
    from codelocd.documents.events import TopicEvent
    from codelocd.runs.evaluation import Evaluation
    from codelocd.runs.model import RunId, RunRecord, RunWish
    from codelocd.runs.tick_book import TickBook
    from codelocd.runs.ticks import Schedule, SchedulePlace, Tick


DEVELOPMENT = "dev does not tick; start it with --tick"
CONFIGURED = "the config says tick = false in [runs]"


class RunStarters:
    """`ticks`: whether this daemon does; else schedules and sensors are listed and switched alone,
    and `why_not` says why.

    `clock`: by which schedules tick, this machine's unless given.
    """

    def __init__(
        self,
        runs: Runs,
        hub: Hub,
        publisher: Publisher,
        locations: Locations,
        clock: TickClock | None = None,
    ) -> None:
        self.ticks = self._follows = self._is_told = self.are_closed = False
        self.why_not = DEVELOPMENT
        self._runs = runs
        self._hub = hub
        self._publisher = publisher
        self._locations = locations
        self._clock = clock
        self._ticker: Ticker | None = None
        self._sensors: Sensors | None = None
        self._opening: asyncio.Task[None] | None = None

    # --- begin and end -------------------------------------------------------------------------

    def follow(self, *, ticks: bool, why_not: str) -> None:
        """From now on; where it `ticks`, the runs are opened as soon as there is something that
        starts them. Where not, the first such thing is told of in one line."""
        ticks = ticks and not self.are_closed
        changed, self.ticks, self.why_not = ticks is not self.ticks, ticks, why_not
        if not self._follows:
            self._follows = True
            watcher = LocalSubscriber(self._heard)
            self._hub.subscribe(watcher, ("definitions",), None, lambda _topic: {})
        elif changed:
            self._is_told = False
            self.wake()

    def _heard(self, event: TopicEvent) -> None:
        data: Any = event["data"]  # the full state, or news of one location
        self.wake(data.get("location"))

    async def begin(self, opened: OpenRuns) -> None:
        """The runs are open. Raises BookProblem."""
        if not self.ticks or self._ticker is not None:
            return
        from codelocd.daemon.runs.tick_runs import TickRuns
        from codelocd.daemon.runs.ticker import TickedCode, Ticker
        from codelocd.runs.tick_book import TickBook

        evaluations = opened.base.evaluations()
        book, report = TickBook(opened.book), self._runs.report
        asking = TickAsking(evaluations, opened, book)
        ticks = TickRuns(book, asking, asking.evaluate, self._table, report)
        code = TickedCode(lambda: self.registry, self._starts, self.is_served)
        ticker = Ticker(book, self._table, ticks, code, report, self._clock)
        await ticker.begin()
        self._ticker = ticker
        self._sensors = await self._asked_sensors(opened, evaluations)

    async def _asked_sensors(self, opened: OpenRuns, evaluations: Evaluations) -> Sensors:
        """Raises BookProblem."""
        from codelocd.daemon.runs.sensors import SensorParts, Sensors
        from codelocd.runs.sensor_book import SensorBook

        keeper = opened.keeper
        parts = SensorParts(
            registry=lambda: self.registry,
            asks=self._starts,
            serves=self._code,
            switched=self._table.switches.get,
            evaluate=evaluations.evaluate,
            fit=opened.with_policy,
            run=keeper.run,
            take_in=keeper.take_in,
            report=self._runs.report,
        )
        sensors = Sensors(SensorBook(opened.book), parts)
        await sensors.begin()
        return sensors

    def wake(self, location: str | None = None) -> None:
        """Definitions, or what is served, may have changed: of this location, or of any."""
        if self._sensors is not None:
            self._sensors.wake()
        if self._ticker is not None:
            self._ticker.wake()
        elif self.ticks and self._opening is None and self._has_work(location):
            self._opening = asyncio.get_running_loop().create_task(self._open())
        if not (self.ticks or self._is_told or self.are_closed) and self._has_work(location):
            self._is_told = True
            self._runs.report(f"schedules and sensors start nothing: {self.why_not}")

    def begin_nothing(self) -> None:
        """From now on."""
        self._runs.base.end_waiting()
        self.ticks, self.are_closed = False, True

    async def close(self) -> None:
        """Returns when nothing is being started any more."""
        self.begin_nothing()
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._ticker is not None:
            await self._ticker.close()
        if self._sensors is not None:
            await self._sensors.close()

    async def _open(self) -> None:
        try:
            was_open = self._runs.is_open
            opened = await self._runs.open()
            if was_open:  # else that has begun this, too
                await self._runs.begin_starters(opened)
        except RpcError as problem:
            if not self.are_closed:
                self._runs.report(f"no schedule ticks: {problem}")
        finally:
            self._opening = None

    def _has_work(self, location: str | None) -> bool:
        """Whether this location, or any, lists a schedule or a sensor that is not Dagster's."""
        registry = self.registry
        names = registry.by_location if location is None else (location,)
        counts = ((name, registry.entry(name).counts) for name in names)
        return any(
            each["schedule"] + each["sensor"] and self.are_native(name) for name, each in counts
        )

    @cached_property
    def _table(self) -> ScheduleTable:
        from codelocd.daemon.runs.schedule_table import ScheduleTable  # few daemons tick

        return ScheduleTable()

    @property
    def registry(self) -> Registry:
        return self._publisher.registry

    # --- what is asked of it -------------------------------------------------------------------

    def are_native(self, location: str) -> bool:
        """Whether what the location starts by itself is ours: else it is Dagster's."""
        found = self._locations.get(location)
        return (
            found is not None and found.snapshot is not None and found.snapshot.loader == "native"
        )

    def _starts(self, location: str) -> bool:
        """Whether it does so here."""
        return self.ticks and self.are_native(location)

    def is_served(self, location: str) -> bool:
        """Whether its code can be run now."""
        return self._code(location) is not None

    def why_held(self, location: str) -> str | None:
        """Why its code cannot be run now, in one line; None: it can."""
        if self.is_served(location):
            return None
        base = self._runs.base
        return base.attempts.runnable(location) or base.codes.why_none(location)

    def _code(self, location: str) -> str | None:
        """What names the code that would be run now."""
        served = self._runs.base.codes.of(location)
        return None if served is None else served.name_of_code

    async def known(self) -> KnownTicks:
        """Raises RpcError."""
        from codelocd.daemon.runs.schedule_table import KnownTicks

        opened = await self._runs.if_any()
        if opened is None:
            return KnownTicks(self._table)
        from codelocd.runs.book import BookProblem
        from codelocd.runs.sensor_book import SensorBook
        from codelocd.runs.tick_book import TickBook

        book = TickBook(opened.book)
        if self._ticker is not None and self._sensors is not None:
            return KnownTicks(self._table, self._sensors.kept, self._sensors.next, book)
        try:
            self._table.switches = await asyncio.wrap_future(book.switches())
            self._table.last = await asyncio.wrap_future(book.last())
            kept = await asyncio.wrap_future(SensorBook(opened.book).sensors())
        except BookProblem as problem:
            raise RpcError("down", str(problem)) from problem
        return KnownTicks(self._table, kept, book=book)

    async def switch(self, place: SchedulePlace, *, enabled: bool) -> None:
        """Switch a schedule or a sensor on or off, also for later daemons. Raises RpcError."""
        from codelocd.runs.book import BookProblem
        from codelocd.runs.tick_book import TickBook

        opened = await self._runs.open()
        try:
            if self._ticker is not None:
                await self._ticker.switch(place, enabled=enabled)
            else:
                book = TickBook(opened.book)
                await asyncio.wrap_future(book.switch(place, enabled, time.time()))
        except BookProblem as problem:
            raise RpcError("down", str(problem)) from problem
        if self._sensors is not None:
            self._sensors.switched(place)


class TickAsking:
    """What a tick asks of the runs: to evaluate its schedule, and to start runs."""

    def __init__(self, evaluations: Evaluations, opened: OpenRuns, book: TickBook) -> None:
        self._evaluations = evaluations
        self._opened = opened
        self._book = book

    async def evaluate(self, tick: Tick, schedule: Schedule) -> Evaluation:
        from codelocd.runs.evaluation import Starter

        last = await asyncio.wrap_future(self._book.last_run(tick.place))
        starter = Starter(
            *tick.place,
            scheduled_for=tick.scheduled_for,
            timezone=schedule.timezone,
            last_run=None if last is None else await self._opened.keeper.run(last),
        )
        return await self._evaluations.evaluate(starter)

    async def submit(self, wish: RunWish) -> tuple[RunRecord, bool]:
        """Raises BookProblem."""
        return await self._opened.submit(wish)

    def unfinished(self) -> Mapping[RunId, RunRecord]:
        return self._opened.keeper.unfinished()

    async def ended(self, run: RunId) -> RunRecord:
        """Waits until it has."""
        return await self._opened.keeper.ended(run)
