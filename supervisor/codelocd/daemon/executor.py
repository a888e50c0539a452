"""Carries out effects. An effect never raises: every failure becomes an event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from codelocd.core import events, problems
from codelocd.daemon import sources
from codelocd.daemon.location import Location, Retirement, tell_shortage
from codelocd.daemon.preparation import Preparation
from codelocd.daemon.starts import RunnerStarts, crashed
from codelocd.model import BuildId, Policy, RunnerId
from codelocd.runners.api import CALL_TIMEOUT, RunnerHandle
from codelocd.watch.watch import SourceWatch


class Executor:
    """Carries out the effects of all locations. One that takes long runs as a task of its
    location."""

    def __init__(self, preparation: Preparation, starts: RunnerStarts, watch: SourceWatch) -> None:
        self._preparation = preparation
        self._starts = starts
        self._watch = watch
        self._moving: set[asyncio.Task[None]] = set()

    def carry_out(self, location: Location, effect: events.Effect) -> None:
        match effect:
            case events.Prepare(build):
                self._begin(location, build, self._preparation.prepare(location, build))
            case events.CancelBuild(build):
                location.tasks.pop(build).cancel()
            case events.Launch(runner, cold):
                self._begin(location, runner, self._starts.launch(location, runner, cold))
            case events.Suspect(runner, suspicion):
                self._starts.suspect(location.runners[runner], suspicion)
            case events.Follow():
                sources.follow_if_possible(self._watch, location)
            case events.Inspect(runner):
                self._starts.inspect(location, runner)
            case events.Explain(runner):
                self._begin(location, runner, self._starts.explain(location, runner))
            case events.Publish(runner):
                self._watch.took_over(location.name)
                self._take_over(location, runner)
            case events.Withdraw():
                self._watch.forget(location.name)
            case events.Retire(runner, replaced):
                self._retire(location, runner, replaced=replaced)
            case events.Kill(runner):
                self._kill(location, runner)

    def _take_over(self, location: Location, number: RunnerId) -> None:
        """Each machine has a lock of its own for the location: what moves to another one takes its
        lock when those that leave have let go of theirs."""
        handle, leaving = location.runners[number].handle, location.state.leaving
        others = [each.handle for its, each in location.runners.items() if its in leaving]
        before = [each.has_let_go for each in others if each.node != handle.node]
        if not before:
            handle.take_over()
            return
        task = asyncio.get_running_loop().create_task(_after(before, handle))
        self._moving.add(task)
        task.add_done_callback(self._moving.discard)

    def _begin(self, location: Location, number: int, work: Coroutine[Any, Any, None]) -> None:
        former = location.tasks.pop(number, None)
        if former is not None:
            former.cancel()
        task = asyncio.get_running_loop().create_task(work, name=f"{location.name} {number}")
        location.tasks[number] = task
        task.add_done_callback(lambda done: self._ended(location, number, done))

    def _ended(self, location: Location, number: int, done: asyncio.Task[None]) -> None:
        """A bug in the daemon fails only the attempt in which it happened. A shortage of the
        machine delays the attempt."""
        if location.tasks.get(number) is done:
            del location.tasks[number]
        if done.cancelled() or (bug := done.exception()) is None:
            return
        if tell_shortage(location, number, "the attempt cannot go on", bug):
            return
        problem = problems.of_bug(bug, time.time())
        location.tell(events.EnvironmentFailed(BuildId(number), problem))
        location.tell(events.LoadFailed(RunnerId(number), problem))

    def adjust(self, location: Location, former: Policy) -> None:
        """The policy of the location has changed: apply it to the runners that are there."""
        self._starts.adjust(location, former)

    def forget(self, location: Location) -> None:
        """The location is gone: release what is held for it."""
        self._starts.forget(location)

    def _kill(self, location: Location, number: RunnerId) -> None:
        running = location.runners.get(number)
        task = location.tasks.pop(number, None)
        if task is not None:
            task.cancel()
        if running is not None:
            running.handle.kill()
            return
        crashed(location, number, "the runner was not started")

    def _retire(self, location: Location, number: RunnerId, *, replaced: bool) -> None:
        """A replaced runner answers all that it accepted; a stopped one has less time."""
        running, grace = location.runners[number], location.spec.policy.stop_timeout
        running.retirement = Retirement(running.handle, CALL_TIMEOUT if replaced else None, grace)


async def _after(before: Sequence[asyncio.Future[None]], handle: RunnerHandle) -> None:
    await asyncio.wait(before)
    if not handle.exited.done():
        handle.take_over()
