"""The runs that have not ended: what happens to them, which of them start, and what is recorded.

An effect is carried out only after the record that led to it is in the book.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from codelocd.daemon.runs.admission import RunAdmission, RunPlace
from codelocd.daemon.runs.effects import RunEffects
from codelocd.daemon.runs.parts import AttemptProcesses, CodesInUse, RunNewsTaker, present
from codelocd.daemon.runs.records import AGAIN, RunRecords
from codelocd.daemon.runs.table import RunTable
from codelocd.process.child import shielded
from codelocd.runs import events
from codelocd.runs.book import RunBook
from codelocd.runs.dagster import telling
from codelocd.runs.events import Moment, RunEvent
from codelocd.runs.folder import AttemptFiles, RunFolders
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish
from codelocd.runs.queue import RunLimits
from codelocd.runs.recovery import Recovered, recovered
from codelocd.runs.step import step
from codelocd.runs.told import run_event

T = TypeVar("T")

TALK = (events.AttemptStarted, events.PlanTold, events.StepTold, events.CheckTold)
"""What is not worth a wait for the disk each: it comes with the next record, or soon after. Of a
start that has no record yet the next daemon hears from the holder, or by its lock."""

LAST_REPORTS = 60.0
"""Seconds for Dagster to be told of the attempts that end with the daemon; else the next one tells
it."""


class RunKeeper:
    """Takes what happens to runs, in its order, and has done what follows from it.

    Of the loop's thread. `report` gets a line for people.
    """

    def __init__(
        self,
        book: RunBook,
        folders: RunFolders,
        hands: AttemptProcesses,
        served: CodesInUse,
        publish: RunNewsTaker,
        limits: RunLimits,
        clock: Callable[[], Moment] = present,
        report: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._folders = folders
        self._hands = hands
        self._publish = publish
        self._clock = clock
        self._report = report
        self._table = RunTable()
        self._admission = RunAdmission(
            self._table, served, limits, lambda: self.starts_more and self.records.trouble is None
        )
        self.waits_for = self._admission.waits_for
        self._happened: deque[tuple[RunId, RunEvent]] = deque()
        self._heard: list[asyncio.Future[None]] = []
        self._waiting: dict[RunId, list[asyncio.Future[RunRecord]]] = {}
        self.starts_more = True
        """Whether attempts start. What waits while they do not stays in the book."""
        self._stirred, self._calm = asyncio.Event(), asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.records = RunRecords(book, self._stirred.set)
        self._effects = RunEffects(hands, self.tell, self._stirred.set, report)
        self._work = asyncio.get_running_loop().create_task(
            _turns(self._stirred, self._turn, report)
        )

    # --- what is asked for ---------------------------------------------------------------------

    async def begin(self) -> None:
        """Take over what an earlier daemon left. Raises BookProblem."""
        left, untold = await self.records.unfinished(), await self.records.untold()
        files = await asyncio.to_thread(lambda: [_look(self._hands, run) for run in left])
        for run, its in zip(left, files, strict=True):
            now = self._clock()
            found = recovered(run, lives=its.lives, begun=its.begun, result=its.result, now=now)
            self._take_over(run, found)
        for run in (*untold, *left):
            self._effects.order(run.id, telling(run, run.untold))
        self._stirred.set()
        await self._effects.settled()  # what is not adopted by then is ended

    def _take_over(self, before: RunRecord, found: Recovered) -> None:
        run = found.run
        self._table.put(run)
        if run != before:
            self.records.note(before, run)
        if found.adopt:
            self._effects.adopt(run)
        if found.event is not None:
            self.tell(run.id, found.event)

    async def submit(self, wish: RunWish) -> tuple[RunRecord, bool]:
        """The run, in the book; False: one of that key is there. Raises BookProblem.

        A caller that is cancelled meanwhile, as its client has gone, calls nothing off.
        """
        return await shielded(self._added(wish, self._clock()), lambda _: None)

    async def _added(self, wish: RunWish, now: Moment) -> tuple[RunRecord, bool]:
        """One that may start at once is in the book as started: one wait for the disk, not two; and
        what its start takes is made meanwhile."""
        with (
            self._admission.place_for(wish, now, self._stirred.set) as place,
            self._effects.prepared(place) as first,
        ):
            run, is_new = await self.records.add(wish, now.at, first)
            if is_new:
                self._take_new(run, place)
        return self._table.get(run.id) or run, is_new

    def take_in(self, runs: Iterable[RunRecord]) -> None:
        """These are in the book already, and nothing has happened to them."""
        for run in runs:
            self._table.put(run)
            self._publish.changed(None, run)
        self._stirred.set()

    def _take_new(self, run: RunRecord, place: RunPlace | None) -> None:
        """It is in the book, with a `place` as started: it starts, and then clients are told."""
        queued = RunRecord(run.id, run.uuid, run.wish, run.queued)
        if place is None:
            self.take_in([queued])
            return
        self._table.put(run)
        if self.starts_more:
            self._effects.order(run.id, place.effects(queued))
            self._effects.carry_out(self._table.get, self.records.is_owed, waits=True)
        else:
            self.tell(run.id, events.StartFailed("the daemon starts nothing more", transient=True))
        asyncio.get_running_loop().call_soon(_tell_new, self._publish, queued, run)
        self._stirred.set()

    def tell(self, run: RunId, event: RunEvent) -> None:
        """Something has happened to a run. One that is not known has ended."""
        self._happened.append((run, event))
        self._stirred.set()

    def told(self, run: RunId, attempt: int, document: Mapping[str, Any]) -> None:
        """An attempt has told this, which is as `told_event` has it."""
        known = self._table.get(run)
        if known is None or known.attempt is None or known.attempt.number != attempt:
            return
        self._publish.told(known, attempt, document)
        event = run_event(document)
        if event is not None:
            self.tell(run, event)

    async def cancel(self, run: RunId, *, kill: bool = False) -> RunRecord | None:
        """The run after that; None: there is none. One that has ended stays as it is."""
        if self._table.get(run) is not None:
            self.tell(run, events.KillAsked() if kill else events.CancelAsked())
            await self._after_this()
        return await self.run(run)

    async def run(self, number: RunId) -> RunRecord | None:
        """As it is now. Raises BookProblem."""
        return self._table.get(number) or await self.records.run(number)

    def unfinished(self) -> Mapping[RunId, RunRecord]:
        return self._table.unfinished

    async def ended(self, run: RunId) -> RunRecord:
        """Waits until it has. Raises KeyError where there is no such run, and BookProblem."""
        known = await self.run(run)
        if known is None:
            raise KeyError(run)
        if known.state.is_final:
            return known
        waiter: asyncio.Future[RunRecord] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run, []).append(waiter)
        return await waiter

    def location_gone(self, name: str, why: str) -> None:
        """It was removed or stopped: what waits for it is cancelled, `why` in one line."""
        for run in self._table.all():
            if run.wish.location == name and run.state is RunState.QUEUED:
                self.tell(run.id, events.CancelAsked(summary=why))

    def look_again(self, limits: RunLimits | None = None) -> None:
        """Another code is served, or other limits hold: more may start."""
        self._admission.limits = limits or self._admission.limits
        self._stirred.set()

    # --- the end -------------------------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Start nothing more. Returns when no attempt goes on: after these seconds those that do
        are asked to end, and killed where they take too long. What waits stays in the book."""
        self.starts_more = False
        self._calm.clear()
        self._stirred.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._calm.wait()
        for run in self._table.going_on:
            self.tell(run.id, events.CancelAsked(shutdown=True))
        await self._calm.wait()
        await self._effects.dagster_told(LAST_REPORTS)
        await self._after_this()

    async def hand_over(self) -> None:
        """Start nothing more, and leave what goes on to the next daemon."""
        self.starts_more = False
        await self._effects.settled()
        await self._after_this()
        await self.close()

    def kill(self) -> None:
        """End every attempt at once."""
        for run in self._table.going_on:
            self._effects.signal(run, "kill")
            self.tell(run.id, events.KillAsked(shutdown=True))

    async def close(self) -> None:
        """Returns when the book is closed; what could not be written by now is lost."""
        self._work.cancel()
        if self._timer is not None:
            self._timer.cancel()
        await self.records.close()

    # --- one turn ------------------------------------------------------------------------------

    async def _turn(self) -> None:
        while self._happened:
            self._take(*self._happened.popleft())
        for number, admitted in self._admission.admitted(self._clock()):
            self._take(number, admitted)
        heard = len(self._heard)  # those that come from now on wait for what has come with them
        for before, run in await self.records.write():
            self._publish.changed(before, run)
            if run.state.is_final:
                _answer(self._waiting.pop(run.id, ()), run)
        for number in self._table.forget_ended(self.records.is_owed):
            asyncio.get_running_loop().run_in_executor(None, self._folders.remove, number)
        self._effects.carry_out(self._table.get, self.records.is_owed, waits=self.starts_more)
        self._set_timer()
        _answer(self._heard[:heard], None)
        del self._heard[:heard]
        if not (self._table.count or self._effects.are_under_way or self._happened):
            self._calm.set()

    def _take(self, number: RunId, event: RunEvent) -> None:
        if (run := self._table.get(number)) is None:
            if isinstance(event, events.DagsterTold):
                self.records.note_told(number, lambda it: step(it, event, self._clock())[0])
            return
        now = self._clock()
        after, effects = step(run, event, now)
        self._effects.order(number, effects)
        if after is run:
            return
        self._table.put(after)
        self.records.note(run, after, soon=isinstance(event, TALK))
        if after.state is RunState.QUEUED and run.state is not RunState.QUEUED:
            self._publish.told(after, len(after.attempts), _retry(after, now))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (due := self._table.next_due) is not None:
            seconds = max(0.0, due - self._clock().clock)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._moment_reached)

    def _moment_reached(self) -> None:
        for run in self._table.pop_due(self._clock().clock):
            if run.state is not RunState.QUEUED:
                self.tell(run.id, events.MomentReached())
        self._stirred.set()

    async def _after_this(self) -> None:
        """Returns when all that has happened by now is recorded."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard.append(waiter)
        self._stirred.set()
        await waiter


async def _turns(
    stirred: asyncio.Event, turn: Callable[[], Awaitable[None]], report: Callable[[str], None]
) -> None:
    """One each time that it is stirred; another a little later where one fails: a run must not end
    all others, nor hold up the daemon's end."""
    told = None
    while True:
        await stirred.wait()
        stirred.clear()
        try:
            await turn()
            told = None
        except Exception as error:  # noqa: BLE001  whatever it is
            fault = f"a fault of codelocd in its runs: {type(error).__name__}: {error}"
            if fault != told:
                report(fault)
            told = fault
            asyncio.get_running_loop().call_later(AGAIN, stirred.set)


def _tell_new(publish: RunNewsTaker, queued: RunRecord, run: RunRecord) -> None:
    publish.changed(None, queued)
    publish.changed(queued, run)


def _answer(waiters: Iterable[asyncio.Future[T]], found: T) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(found)


def _look(hands: AttemptProcesses, run: RunRecord) -> AttemptFiles:
    return AttemptFiles() if run.attempt is None else hands.look(run)


def _retry(run: RunRecord, now: Moment) -> dict[str, Any]:
    """What clients are told where another attempt follows."""
    attempt, due = run.attempts[-1], run.deadlines.retry or 0.0
    told = {"number": attempt.number, "why": attempt.why, "summary": attempt.summary}
    return {"event": "retry", "at": now.at, **told, "seconds": max(0.0, due - now.clock)}
