"""A daemon's rooms in the test's own process, and a keeper that carries out one run at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codelocd.daemon.application import Application
from codelocd.daemon.location import Location
from codelocd.model import Config, LocationSpec, Policy, Target
from codelocd.runs.events import (
    Moment,
    MomentReached,
    RunAdmitted,
    RunEvent,
    SignalAttempt,
    StartAttempt,
    StartFailed,
)
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish
from codelocd.runs.step import step
from codelocd.runs.told import run_event
from codelocd.storage.paths import DaemonPaths

DEADLINE = 60.0
CACHE = Path(__file__).parents[3] / ".cache" / "tests" / "codelocd"


def paths_in(folder: Path) -> DaemonPaths:
    return DaemonPaths("test", folder / "control.sock", folder, CACHE, folder / "run")


class OneKeeper:
    """Keeps runs as the daemon's keeper does, without a book. `prepares`: their starts, too."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.attempts = application.run_base.attempts
        self.attempts.keeper = self
        self.codes = application.run_base.codes
        self.codes.begin()
        self.runs: dict[RunId, RunRecord] = {}
        self.prepares = False
        self.heard: list[Mapping[str, Any]] = []
        self.events: list[RunEvent] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, run: RunId, event: RunEvent) -> None:
        self.events.append(event)
        record, effects = step(self.runs[run], event, Moment(time.time(), time.monotonic()))
        self.runs[run] = record
        for effect in effects:
            if isinstance(effect, StartAttempt):
                if self.prepares:
                    self.attempts.prepare(record, effect)
                task = asyncio.get_running_loop().create_task(self._start(record, effect))
                self._tasks.add(task)
            elif isinstance(effect, SignalAttempt):
                self.attempts.signal(record, effect.how)
        self._changed.set()

    def told(self, run: RunId, attempt: int, document: Mapping[str, Any]) -> None:
        self.heard.append({**document, "attempt": attempt})
        if (event := run_event(document)) is not None:
            self.tell(run, event)

    async def _start(self, record: RunRecord, effect: StartAttempt) -> None:
        try:
            await self.attempts.start(record, effect)
        except OSError as error:
            self.tell(record.id, StartFailed(str(error)))

    async def begin(self, wish: RunWish) -> RunId:
        """Admitted, with what is served now."""
        number = RunId(len(self.runs) + 1)
        self.runs[number] = RunRecord(number, "uuid", wish, time.time())
        await self.codes.ready(wish.location)
        assert self.codes.of(wish.location) is not None, self.codes.why_none(wish.location)
        self._admit(number)
        return number

    def _admit(self, number: RunId) -> None:
        name = self.runs[number].wish.location
        served = self.codes.of(name)
        if served is not None:  # else it is being asked for
            admitted = RunAdmitted(served.generation, served.manifest, served.environment)
            self.tell(number, admitted)

    async def until(self, number: RunId, *states: RunState) -> RunRecord:
        """The run, as soon as it has one of these states; all timers of it are due at once."""
        async with asyncio.timeout(DEADLINE):
            while self.runs[number].state not in states:
                self._changed.clear()
                due = self.runs[number].deadlines.next()
                left = None if due is None else max(0.0, due - time.monotonic())
                try:
                    await asyncio.wait_for(self._changed.wait(), left)
                except TimeoutError:
                    if self.runs[number].state is RunState.QUEUED:
                        await self.codes.ready(self.runs[number].wish.location)
                        self._admit(number)
                    else:
                        self.tell(number, MomentReached())
        return self.runs[number]

    async def ended(self, number: RunId) -> RunRecord:
        return await self.until(number, *(each for each in RunState if each.is_final))

    async def run(self, job: str = "work", location: str = "x") -> RunRecord:
        return await self.ended(await self.begin(RunWish(location, job=job)))

    def printed(self, number: RunId) -> list[str]:
        lines = self.application.run_base.outputs.logs.lines([str(number)], 100)
        return [line.text for line in lines]

    def kill(self, number: RunId) -> None:
        record = self.runs[number]
        effect = SignalAttempt(len(record.attempts), "kill")
        self.attempts.signal(record, effect.how)


async def loaded(
    application: Application, folder: Path, code: str, name: str = "x", **policy: Any
) -> Location:
    """A location with this code, after its first attempt to load."""
    file = folder / f"{name}.py"
    file.write_text(code)
    own = Policy(restart="never", **policy)
    spec = LocationSpec(name, Target("python_file", str(file)), folder, "test", policy=own)
    application.apply(Config((spec,)))
    location = application.locations[name]
    await asyncio.wait_for(location.settled(), DEADLINE)
    return location
