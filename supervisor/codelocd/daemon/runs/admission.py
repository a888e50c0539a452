"""Which runs may start under the limits: among those that wait, and of those that are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from codelocd.daemon.runs.parts import CodeInUse, CodesInUse
from codelocd.daemon.runs.table import RunTable
from codelocd.runs.dagster import DAGSTER
from codelocd.runs.events import Moment, RunAdmitted, RunEffect
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish
from codelocd.runs.queue import RunLimits, reached, startable
from codelocd.runs.step import step


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Of a run that has no `number` of its own yet."""

    number: RunId
    event: RunAdmitted
    now: Moment

    def begun(self, run: RunRecord) -> RunRecord:
        """As it is when it starts."""
        return step(run, self.event, self.now)[0]

    def effects(self, run: RunRecord) -> tuple[RunEffect, ...]:
        """What is to be done then."""
        return step(run, self.event, self.now)[1]


class RunAdmission:
    """Of the runs in a `table`, and of those that are being written into the book as started."""

    def __init__(
        self,
        table: RunTable,
        served: CodesInUse,
        limits: RunLimits,
        may_start: Callable[[], bool],
    ) -> None:
        """`may_start`: whether anything may, whatever the limits: not while a record cannot be
        written, for what starts has to be known."""
        self.limits = limits
        self._may_start = may_start
        self._table = table
        self._served = served
        self._coming: dict[RunId, RunRecord] = {}
        self._numbers = count(-1, -1)

    def admitted(self, now: Moment) -> Iterator[tuple[RunId, RunAdmitted]]:
        """Those that may start now, the oldest first."""
        if self._is_full:
            return
        for number in startable(self._there(), self.limits, now.clock):
            run = self._table.get(number)
            code = self._served.of(run.wish.location) if run is not None else None
            if code is not None:
                yield number, _admission(code)

    def waits_for(self, run: RunRecord) -> list[str]:
        """What holds back a run in the queue, each in words."""
        if self._served.of(run.wish.location) is None:
            return [f"{run.wish.location}, which serves nothing yet"]
        return reached(run, self._there(), self.limits)

    @contextlib.contextmanager
    def place_for(
        self, wish: RunWish, now: Moment, given_back: Callable[[], None]
    ) -> Iterator[RunPlace | None]:
        """Where a run of this wish may start at once, the place that it takes among the others
        until the end of the context; then it is `given_back`. None: it waits."""
        place = self._place(wish, now)
        if place is not None:
            self._coming[place.number] = place.begun(RunRecord(place.number, "", wish, now.at))
        try:
            yield place
        finally:
            if place is not None:
                del self._coming[place.number]
                given_back()

    def _place(self, wish: RunWish, now: Moment) -> RunPlace | None:
        code = self._served.of(wish.location)
        if code is None or self._is_full:
            return None
        run = RunRecord(RunId(next(self._numbers)), "", wish, now.at)
        if startable([*self._there(), run], self.limits, now.clock) != [run.id]:
            return None  # or an older one starts first, in its turn
        return RunPlace(run.id, _admission(code), now)

    @property
    def _is_full(self) -> bool:
        going_on = self._table.count + len(self._coming)
        return not self._may_start() or going_on >= self.limits.max_concurrent

    def _there(self) -> list[RunRecord]:
        of = self._served.of
        there = (
            run
            for run in self._table.all()
            if run.state is not RunState.QUEUED or of(run.wish.location)
        )
        return [*there, *self._coming.values()]


def _admission(code: CodeInUse) -> RunAdmitted:
    is_dagsters = code.loader == DAGSTER
    return RunAdmitted(code.generation, code.manifest, code.environment, is_dagsters)
