"""Carries out one run in this process, without a daemon: nothing of it is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from codeloc_envs.problem import shortage
from codelocd.daemon import check
from codelocd.daemon.application import Application
from codelocd.daemon.location import Location
from codelocd.daemon.runs.attempts import (
    AttemptStarter,
    CodeOfRun,
    order_when_killed,
    reported,
    signal_attempt,
    start_report,
    tell_end,
)
from codelocd.daemon.runs.event_pipe import EventsRead
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.dagster.instance import VARIABLE as HOME
from codelocd.dagster.instance import home_of
from codelocd.model import Config, Exit, Stream
from codelocd.process.child import Child
from codelocd.runners.api import RunnerSpec
from codelocd.runners.attempts import AttemptPipes
from codelocd.runs import events
from codelocd.runs.dagster import DAGSTER
from codelocd.runs.events import Moment, RunEffect, RunEvent
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish
from codelocd.runs.step import step
from codelocd.runs.told import run_event
from codelocd.storage.paths import DaemonPaths

if TYPE_CHECKING:
    from codelocd.documents.answers import CheckedLocation
    from codelocd.documents.events import BuildStep

UNNUMBERED = RunId(0)
"""The number of a run that no book has, as in a unit test."""


@dataclass(frozen=True, slots=True)
class LoadedCode:
    """What the code of a location defines. `loader`: `native` or `dagster`; `python`: the version
    of its environment's Python, `executable`: where that is."""

    loader: str
    python: str
    executable: Path
    definitions: list[Mapping[str, Any]]


class NotLoaded(Exception):
    """The location does not load; `found` is its part of the `check --json` document."""

    def __init__(self, found: CheckedLocation) -> None:
        super().__init__(found["name"])
        self.found = found


class RunWatcher(Protocol):
    """Hears of a run as it goes on, on the loop's thread."""

    def printed(self, stream: Stream, data: bytes) -> None: ...

    def told(self, event: Mapping[str, Any]) -> None:
        """An event of an attempt, as docs/protocol.md has it, with its `attempt`; or `retry`."""


def run(
    config: Config,
    paths: DaemonPaths,
    wish_of: Callable[[LoadedCode], RunWish],
    watcher: RunWatcher,
    progress: Callable[[BuildStep], None] | None = None,
) -> RunRecord:
    """The run once it has ended. `config` has one location.

    The location is built, loaded once, and stopped; then come its attempts. What `wish_of` raises
    is raised. Raises NotLoaded, OSError and what `DaemonPaths.make_state_folder` does.
    """
    paths.make_state_folder(os.getuid())
    with tempfile.TemporaryDirectory(prefix="codelocd-run-") as name:
        folder = Path(name)
        private = replace(paths, state_dir=folder, runtime_dir=folder, socket=folder / "none")
        return asyncio.run(_run(check.once(config), private, paths, wish_of, watcher, progress))


async def _run(
    config: Config,
    private: DaemonPaths,
    paths: DaemonPaths,
    wish_of: Callable[[LoadedCode], RunWish],
    watcher: RunWatcher,
    progress: Callable[[BuildStep], None] | None,
) -> RunRecord:
    application = Application(config, private, lambda _: None, development=True)
    if progress is not None:
        check.follow_builds(application, progress)
    try:
        application.apply(config, now=True)
        (location,) = application.locations.values()
        await location.settled()
        loaded = _loaded(application, location)
        wish, is_dagsters = wish_of(loaded), loaded.loader == DAGSTER
        serving = location.serving
        assert serving is not None
        lease = await asyncio.to_thread(application.store.lease, serving.environment)
        with contextlib.closing(lease):
            spec = replace(serving.order, output=watcher.printed, held=(lease.fileno(),))
            application.daemon.stop(location)  # what it has opened at import, the run needs
            await location.settled()
            values = AttemptFolders(paths).make_values(wish.location, wish.repository, spec.account)
            own = AttemptFolders(private)
            own.make_run(own.of_runs.of(UNNUMBERED), spec.account)
            spec = replace(spec, group=None)
            if is_dagsters:
                home = await asyncio.to_thread(home_of, config, paths.state_dir)
                spec = replace(spec, variables={HOME: str(home), **spec.variables})
            single = SingleRun(application, spec, own.of_runs, values, watcher, private.state_dir)
            single.admitted = replace(single.admitted, is_dagsters=is_dagsters)
            return await single.carried_out(wish)
    finally:
        await application.close()


def _loaded(application: Application, location: Location) -> LoadedCode:
    listed = application.publisher.registry
    if location.serving is None or location.serving.snapshot is None:
        raise NotLoaded(check.checked_location(location, listed))
    snapshot, executable = location.serving.snapshot, location.serving.environment.executable
    return LoadedCode(
        snapshot.loader, snapshot.python, executable, [*listed.definitions([location.name])]
    )


class SingleRun:
    """One run, and the attempt of it that goes on."""

    def __init__(
        self,
        application: Application,
        spec: RunnerSpec,
        folders: RunFolders,
        values: Path,
        watcher: RunWatcher,
        own: Path,
    ) -> None:
        """`own`: the folder that is of no use after the run."""
        self._own = own
        self._when_killed = application.guardian.when_killed
        self._warm = application.warm
        self._starter = AttemptStarter(application.warm, folders)
        self._spec = spec
        self._folders = folders
        self._values = values
        self._watcher = watcher
        self._events: asyncio.Queue[RunEvent] = asyncio.Queue()
        self.admitted = events.RunAdmitted(environment=spec.environment)
        self._child: Child | None = None
        self._interrupts = 0

    async def carried_out(self, wish: RunWish) -> RunRecord:
        """The run, once it has ended. The first SIGINT or SIGTERM cancels it, the second kills."""
        run = RunRecord(UNNUMBERED, uuid.uuid4().hex, wish, queued=time.time())
        with self._heeding_signals():
            self._events.put_nowait(self.admitted)
            while not run.state.is_final:
                event = await self._next(run)
                moment = Moment(time.time(), time.monotonic(), random.random())
                before, (run, effects) = run, step(run, event, moment)
                for effect in effects:
                    await self._carry_out(run, effect)
                if run.state is RunState.QUEUED and before.state is not RunState.QUEUED:
                    self._tell_retry(run)
        self._when_killed(None)
        return run

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._interrupted, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _interrupted(self, number: signal.Signals) -> None:
        self._interrupts += 1
        first = self._interrupts == 1
        if number is signal.SIGINT:
            told = "cancelling the run; Ctrl-C again kills it" if first else "killing the run"
            self._watcher.printed("stderr", f"{told}\n".encode())
        self._events.put_nowait(events.CancelAsked() if first else events.KillAsked())

    async def _next(self, run: RunRecord) -> RunEvent:
        """What happened, or the moment that came."""
        due = run.deadlines.next()
        seconds = None if due is None else max(0.0, due - time.monotonic())
        try:
            async with asyncio.timeout(seconds):
                return await self._events.get()
        except TimeoutError:
            if run.state is RunState.QUEUED:
                return self.admitted
            return events.MomentReached()

    def _tell_retry(self, run: RunRecord) -> None:
        attempt, due = run.attempt, run.deadlines.retry or 0.0
        if attempt is not None:
            told = {"number": attempt.number, "why": attempt.why, "summary": attempt.summary}
            seconds = max(0.0, due - time.monotonic())
            self._watcher.told({"event": "retry", "at": time.time(), **told, "seconds": seconds})

    async def _carry_out(self, run: RunRecord, effect: RunEffect) -> None:
        if isinstance(effect, events.StartAttempt):
            try:
                await self._start(run, effect)
            except OSError as error:
                lacks = shortage(error) is not None
                self._events.put_nowait(events.StartFailed(str(error), transient=lacks))
        elif isinstance(effect, events.TellDagster):
            await self._tell_dagster(run, effect)
        elif self._child is not None:
            signal_attempt(self._child, effect.how)

    async def _tell_dagster(self, run: RunRecord, effect: events.TellDagster) -> None:
        """How an attempt ended that could not say so itself."""
        try:
            child = await start_report(self._warm, self._folders, run.id, effect, self._spec)
            why = await reported(child)
        except OSError as error:
            why = str(error)
        if why is not None:
            told = f"Dagster could not be told that the run has ended: {why}\n"
            self._watcher.printed("stderr", told.encode())

    async def _start(self, run: RunRecord, effect: events.StartAttempt) -> None:
        """Raises OSError."""
        order = order_when_killed(self._warm, self._folders, run, self._spec, self._own)
        self._when_killed(order)
        reading, writing = os.pipe()
        pipe = EventsRead(reading, lambda told: self._told(effect.number, told))
        try:
            code = CodeOfRun(self._values)
            pipes = AttemptPipes(writing)
            child, choice = await self._starter.start(run, effect, self._spec, code, pipes)
        except BaseException:
            pipe.close()
            raise
        finally:
            os.close(writing)
        self._child = child
        self._events.put_nowait(events.AttemptStarted(child.pid, choice.method))
        pipe.begin()
        number = effect.number
        child.exited.add_done_callback(lambda end: self._exited(number, pipe, end.result()))

    def _told(self, number: int, told: Mapping[str, Any]) -> None:
        self._watcher.told({**told, "attempt": number})
        event = run_event(told)
        if event is not None:
            self._events.put_nowait(event)

    def _exited(self, number: int, pipe: EventsRead, end: Exit) -> None:
        pipe.finish()
        asyncio.get_running_loop().call_soon(self._ended, number, end)

    def _ended(self, number: int, end: Exit) -> None:
        """All that it has told is heard."""
        tell_end(self._events.put_nowait, self._folders.look(UNNUMBERED, number), end)
