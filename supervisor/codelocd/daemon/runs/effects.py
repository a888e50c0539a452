"""Has attempts started, ended and watched, each as soon as the record that led to it is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Literal

from codeloc_envs.problem import shortage
from codelocd.daemon.runs.admission import RunPlace
from codelocd.daemon.runs.parts import AttemptProcesses
from codelocd.runs.book import Change
from codelocd.runs.events import (
    AttemptLost,
    DagsterTold,
    RunEffect,
    RunEvent,
    SignalAttempt,
    StartAttempt,
    StartFailed,
    TellDagster,
)
from codelocd.runs.model import RunId, RunRecord


class RunEffects:
    """`tell` gets what comes of it. `stir` is called when a start is over."""

    def __init__(
        self,
        hands: AttemptProcesses,
        tell: Callable[[RunId, RunEvent], None],
        stir: Callable[[], None],
        report: Callable[[str], None],
    ) -> None:
        self._hands = hands
        self._tell = tell
        self._stir = stir
        self._report = report
        self._ordered: list[tuple[RunId, RunEffect]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._prepared: set[RunId] = set()

    @contextlib.contextmanager
    def prepared(self, place: RunPlace | None) -> Iterator[Change | None]:
        """Within it a run may be added that takes the place: what the book makes of it then, from
        whose thread on its start is prepared. What has not been carried out by its end is called
        off."""
        if place is None:
            yield None
            return
        loop = asyncio.get_running_loop()
        numbers: list[RunId] = []

        def begun(run: RunRecord) -> RunRecord:
            """On the book's thread: the number is known, and nothing of it is on the disk yet."""
            numbers.append(run.id)
            started = place.begun(run)
            loop.call_soon_threadsafe(self._prepare, started, place.effects(run))
            return started

        try:
            yield begun
        finally:
            for number in numbers:
                if number in self._prepared:
                    self._prepared.discard(number)
                    self._hands.call_off(number)

    def _prepare(self, run: RunRecord, effects: tuple[RunEffect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, StartAttempt):
                self._prepared.add(run.id)
                self._hands.prepare(run, effect)

    def order(self, number: RunId, effects: tuple[RunEffect, ...]) -> None:
        self._ordered += ((number, effect) for effect in effects)

    def carry_out(
        self,
        run_of: Callable[[RunId], RunRecord | None],
        is_owed: Callable[[RunId], bool],
        *,
        waits: bool,
    ) -> None:
        """A start waits until its record is not `is_owed`; an order to end does not. Where nothing
        `waits` any more, or the run is to end, the start is called off."""
        ordered, self._ordered = self._ordered, []
        for number, effect in ordered:
            if isinstance(effect, TellDagster):  # the run may have ended
                self._begin(self._tell_dagster(number, effect), self._telling)
                continue
            run = run_of(number)
            if run is None or run.attempt is None or run.attempt.number != effect.number:
                continue
            if isinstance(effect, SignalAttempt):
                self.signal(run, effect.how)
            elif not is_owed(number):
                self._prepared.discard(number)
                self._begin(self._start(run, effect), self._tasks)
            elif waits and run.stopping is None:
                self._ordered.append((number, effect))
            else:
                self._tell(number, StartFailed("its record was not written", transient=True))

    def signal(self, run: RunRecord, how: Literal["terminate", "kill"]) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._hands.signal(run, how)

    def adopt(self, run: RunRecord) -> None:
        self._begin(self._adopt(run), self._tasks)

    @property
    def are_under_way(self) -> bool:
        """Whether an attempt is being started or adopted."""
        return bool(self._tasks)

    async def settled(self) -> None:
        """Returns when none is."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def dagster_told(self, seconds: float) -> None:
        """Returns when Dagster knows of all ends. What takes longer is called off: the next daemon
        tells it."""
        if self._telling:
            _, late = await asyncio.wait(tuple(self._telling), timeout=seconds)
            for each in late:
                each.cancel()

    async def _start(self, run: RunRecord, effect: StartAttempt) -> None:
        try:
            await self._hands.start(run, effect)
        except Exception as error:  # noqa: BLE001  else it would be starting for ever
            lacks = isinstance(error, OSError) and shortage(error) is not None
            self._tell(run.id, StartFailed(str(error), transient=lacks))

    async def _tell_dagster(self, number: RunId, effect: TellDagster) -> None:
        try:
            await self._hands.tell_dagster(number, effect)
        except Exception as error:  # noqa: BLE001  the run has ended, whatever Dagster knows
            self._report(f"run {number}: Dagster could not be told that it has ended: {error}")
        else:
            self._tell(number, DagsterTold(effect.end))

    async def _adopt(self, run: RunRecord) -> None:
        try:
            await self._hands.adopt(run)
        except Exception as error:  # noqa: BLE001  else it would be running for ever
            self._report(f"run {run.id} cannot be watched: {error}")
            self._tell(run.id, AttemptLost())

    def _begin(
        self, work: Coroutine[None, None, None], of_its_kind: set[asyncio.Task[None]]
    ) -> None:
        task = asyncio.get_running_loop().create_task(work)
        of_its_kind.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._telling.discard(task)
        self._stir()
