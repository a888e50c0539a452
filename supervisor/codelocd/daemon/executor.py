"""Carries out effects. An effect never raises: every failure becomes an event."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codeloc_envs import Choice, Environment, EnvironmentProblem, Lease, Store, choose
from codelocd.core import events, problems, remedies
from codelocd.core.timing import Timing
from codelocd.daemon import sources
from codelocd.daemon.location import Location, Running
from codelocd.daemon.missing_dagster import require_dagster
from codelocd.daemon.runners import RunnerSpecs
from codelocd.daemon.start_limits import StartLimits
from codelocd.model import BuildId, Cold, Ended, Exit, LocationSpec, Problem, RunnerId, Snapshot
from codelocd.process.child import undisturbed
from codelocd.rpc.errors import RpcError
from codelocd.runners import variables
from codelocd.runners.api import CALL_TIMEOUT, Bad, Good, Launcher, MustStartCold, RunnerHandle
from codelocd.runners.environments import Builder
from codelocd.storage.logs import Logs
from codelocd.watch.watch import SourceWatch

EXPLANATION_TIMEOUT = 1.0
"""Seconds for a hanging runner to say where it is."""

LAST_LINES = 200
"""Lines of output in which a problem looks for its place."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Where the executor report to: the daemon's ends of them."""

    send: Callable[[Location, events.Event], None]
    publish: Callable[[Location, Running], None]
    withdraw: Callable[[Location], None]
    recall: Callable[[Location], None]
    restore: Callable[[Location, Snapshot], None]
    progress: Callable[[Location, Mapping[str, Any]], None]


class Executor:
    """One pair for the whole daemon; long effects are tasks of their location."""

    def __init__(
        self,
        reports: Reports,
        *,
        launcher: Launcher,
        builder: Builder,
        store: Store,
        watch: SourceWatch,
        logs: Logs,
        start_limits: StartLimits,
        runner_specs: RunnerSpecs,
    ) -> None:
        self._reports = reports
        self._launcher = launcher
        self._builder = builder
        self._store = store
        self._watch = watch
        self._logs = logs
        self._start_limits = start_limits
        self._runner_specs = runner_specs
        self._retiring: set[asyncio.Task[None]] = set()

    def carry_out(self, location: Location, effect: events.Effect) -> None:
        match effect:
            case events.Prepare(build):
                self._begin(location, build, self._prepare(location, build))
            case events.CancelBuild(build):
                location.tasks.pop(build).cancel()
            case events.Launch(runner, cold):
                self._begin(location, runner, self._launch(location, runner, cold))
            case events.Suspect(runner, suspicion):
                self._launcher.suspect(location.runners[runner].order, suspicion)
            case events.Follow():
                self.follow(location)
            case events.Inspect(runner):
                self._inspect(location, runner)
            case events.Explain(runner):
                self._begin(location, runner, self._explain(location, runner))
            case events.Publish(runner):
                self._watch.took_over(location.name)
                location.runners[runner].handle.take_over()
                self._reports.publish(location, location.runners[runner])
            case events.Withdraw():
                self._watch.forget(location.name)
                self._reports.withdraw(location)
            case events.Recall():
                self._reports.recall(location)
            case events.Restore(snapshot):
                self._reports.restore(location, snapshot)
            case events.Retire(runner, replaced):
                self._retire(location, runner, replaced=replaced)
            case events.Kill(runner):
                self._kill(location, runner)

    def _begin(self, location: Location, number: int, work: Coroutine[Any, Any, None]) -> None:
        former = location.tasks.pop(number, None)
        if former is not None:
            former.cancel()
        task = asyncio.get_running_loop().create_task(work, name=f"{location.name} {number}")
        location.tasks[number] = task
        task.add_done_callback(lambda done: self._ended(location, number, done))

    def _ended(self, location: Location, number: int, done: asyncio.Task[None]) -> None:
        """A bug of ours fails the attempt that met it, and nothing else."""
        if location.tasks.get(number) is done:
            del location.tasks[number]
        if done.cancelled() or (bug := done.exception()) is None:
            return
        problem = problems.of_bug(bug, time.time())
        self._reports.send(location, events.EnvironmentFailed(BuildId(number), problem))
        self._reports.send(location, events.LoadFailed(RunnerId(number), problem))

    # --- environments --------------------------------------------------------------------------

    async def _prepare(self, location: Location, build: BuildId) -> None:
        try:
            async with self._start_limits.preparation(beside=location.state.serving is not None):
                environment, inputs = await self._environment(location, build)
        except EnvironmentProblem as failure:
            problem = Problem("environment", failure.summary, failure.detail, time.time())
            self._reports.send(
                location,
                events.EnvironmentFailed(build, problem, failure.passing, failure.inputs),
            )
            self.follow(location)
        except OSError as failure:
            summary = f"the environment cannot be looked at: {failure}"
            problem = Problem("environment", summary, at=time.time())
            self._reports.send(location, events.EnvironmentFailed(build, problem, passing=True))
        else:
            known = set(location.state.inputs)
            self._reports.send(location, events.EnvironmentReady(build, environment, inputs))
            if known != set(inputs):
                self.follow(location)

    async def _environment(
        self, location: Location, build: BuildId
    ) -> tuple[Environment, tuple[Path, ...]]:
        """It, ready, and the files that it depends on. Raises EnvironmentProblem, OSError."""
        self.follow(location)
        self._watch.begin(location.name)
        choice = await self._chosen(location, build)
        ready = await asyncio.to_thread(self._store.find, choice.specification)
        if ready is None:
            ready = await self._builder.build(
                choice.specification, lambda progress: self._reports.progress(location, progress)
            )
        inputs = (*choice.inputs, *choice.looked_at, *ready.sources)
        described = choice.specification
        await asyncio.to_thread(require_dagster, location.spec, ready, described, inputs)
        return ready, inputs

    async def _chosen(self, location: Location, build: BuildId) -> Choice:
        """What it depends on is watched while it is read: a save in between is not lost."""
        watched_inputs = set(location.state.inputs)
        while True:
            choice = await asyncio.to_thread(_choose, location.spec)
            looked_at = {*choice.inputs, *choice.looked_at}
            known = watched_inputs.issuperset(looked_at)
            watched_inputs.update(looked_at)
            inputs = tuple(watched_inputs)
            self._reports.send(location, events.EnvironmentChosen(build, choice, inputs))
            if known:
                return choice
            self.follow(location)

    def follow(self, location: Location) -> None:
        """Watch what the location's description asks for now."""
        self._watch.follow(location.name, sources.of(location))

    def forget(self, location: Location) -> None:
        """It is gone: free what is held for it."""
        self._logs.forget(location.name)

    # --- starting a runner ---------------------------------------------------------------------

    async def _launch(self, location: Location, number: RunnerId, cold: Cold | None) -> None:
        async with self._start_limits.start(beside=location.state.serving is not None):
            running = await self._start(location, number, cold)
            if running is not None:
                await self._load(location, number, running)

    async def _start(
        self, location: Location, number: RunnerId, cold: Cold | None
    ) -> Running | None:
        environment = location.state.environment
        assert environment is not None
        self.follow(location)
        self._watch.begin(location.name, prepared=True)
        try:
            leasing = asyncio.to_thread(self._store.lease, environment)
            lease = await undisturbed(leasing, Lease.close)
        except EnvironmentProblem as failure:
            problem = Problem("crash", failure.summary, at=time.time())
            lost = events.EnvironmentLost(number, problem, random.random())
            self._reports.send(location, lost)
            return None
        except OSError as failure:
            self._crashed(location, number, f"the runner cannot be started: {failure}")
            return None
        timing = Timing(location.saved_at, location.changed_at, decided=time.time())
        order = replace(self._runner_specs.order(location, environment, lease), cold=cold)
        try:
            handle = await undisturbed(self._launcher.start(order), _kill)
        except asyncio.CancelledError:
            lease.close()
            raise
        except OSError as failure:
            lease.close()
            self._not_started(location, number, failure)
            return None
        timing.started = time.time()
        running = Running(handle, order, environment, lease, time.monotonic(), timing)
        location.runners[number] = running
        handle.exited.add_done_callback(lambda end: self._exited(location, number, end.result()))
        self._reports.send(location, events.Launched(number))
        return running

    def _not_started(self, location: Location, number: RunnerId, failure: OSError) -> None:
        directory = location.spec.working_directory
        if not directory.is_dir():
            summary = f"the working directory {directory} does not exist"
            problem = Problem("config", summary, at=time.time())
            self._reports.send(location, events.LoadFailed(number, problem))
            return
        self._crashed(location, number, f"the runner cannot be started: {failure}")

    def _crashed(self, location: Location, number: RunnerId, summary: str) -> None:
        """It never lived; another try, which begins with its environment, may succeed."""
        problem = Problem("crash", summary, at=time.time())
        self._reports.send(location, events.Exited(number, problem, random.random()))

    # --- loading -------------------------------------------------------------------------------

    async def _load(self, location: Location, number: RunnerId, running: Running) -> None:
        """Wait for the outcome of its load; a runner that ends over it is noticed elsewhere."""
        try:
            outcome = await running.handle.load()
        except RpcError as failure:
            if failure.kind != "down":
                summary = f"the runner sent no snapshot: {failure.message}"
                problem = Problem("load", summary, at=time.time())
                self._reports.send(location, events.LoadFailed(number, problem))
            return
        match outcome:
            case Good(snapshot, importing, read):
                running.snapshot, running.read = snapshot, read
                running.timing.loaded, running.timing.importing = time.time(), importing
                self._inspect(location, number)
            case Bad(said, seen, read):
                remedy = await asyncio.to_thread(_remedy, location, said)
                problem = problems.of_load(said, time.time(), remedy.line, remedy.block)
                self._watch.loaded(location.name, seen)
                awaited = sources.where_installed(location, said.get("missing"))
                failed = events.LoadFailed(number, problem, (*read, *awaited))
                self._reports.send(location, failed)
            case MustStartCold(cold):
                self._reports.send(location, events.Diverged(number, cold, time.time()))

    def _inspect(self, location: Location, number: RunnerId) -> None:
        if (running := location.runners.get(number)) is None or running.snapshot is None:
            return
        since = self._watch.loaded(location.name, running.snapshot.sources)
        loaded = events.Loaded(number, not since.paths, since.locked, running.read)
        self._reports.send(location, loaded)

    async def _explain(self, location: Location, number: RunnerId) -> None:
        running = location.runners.get(number)
        stacks: list[Mapping[str, Any]] = []
        if running is not None:
            with contextlib.suppress(RpcError):
                answer = await running.handle.call("stacks", timeout=EXPLANATION_TIMEOUT)
                stacks = answer["threads"]
        folder, limit = location.spec.working_directory, location.spec.policy.start_timeout
        problem = problems.of_hang(limit, stacks, time.time(), folder)
        self._reports.send(location, events.LoadFailed(number, problem))

    # --- ends ----------------------------------------------------------------------------------

    def _exited(self, location: Location, number: RunnerId, end: Exit) -> None:
        running = location.runners.pop(number)
        running.lease.close()
        now = time.time()
        lines = [line.text for line in self._logs.lines([location.name], LAST_LINES)]
        folder = location.spec.working_directory
        problem = problems.of_exit(end, running.snapshot is None, lines, now, folder)
        ended, cold = Ended(running.handle.pid, end, now), running.handle.blamed(end)
        exited = events.Exited(number, problem, random.random(), ended, cold)
        self._reports.send(location, exited)

    def _kill(self, location: Location, number: RunnerId) -> None:
        running = location.runners.get(number)
        task = location.tasks.pop(number, None)
        if task is not None:
            task.cancel()
        if running is not None:
            running.handle.kill()
            return
        self._crashed(location, number, "the runner was not started")

    def _retire(self, location: Location, number: RunnerId, *, replaced: bool) -> None:
        """A replaced runner answers all that it accepted; a stopped one has less time."""
        grace = location.spec.policy.stop_timeout
        patience = CALL_TIMEOUT if replaced else grace
        work = location.runners[number].handle.retire(patience, grace)
        task = asyncio.get_running_loop().create_task(work)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _kill(handle: RunnerHandle) -> None:
    handle.kill()


def _choose(spec: LocationSpec) -> Choice:
    activated = variables.activated_environment(os.environ) if spec.activated_allowed else None
    return choose(spec.environment, code=sources.code(spec), activated=activated)


def _remedy(location: Location, problem: Mapping[str, Any]) -> remedies.Remedy:
    """What the daemon knows to do about it; an empty line where it knows nothing."""
    missing, variable = problem.get("missing"), problem.get("variable")
    choice = location.state.choice
    found = None
    if missing is not None and choice is not None:
        found = remedies.remedy(missing, choice.specification, remedies.Origin.of(location.spec))
    elif variable is not None:
        found = remedies.Remedy(remedies.variable(variable, location.spec))
    return found or remedies.Remedy("")
