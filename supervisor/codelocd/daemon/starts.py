"""Starts runners, has them load their code, and reports what comes of it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from codeloc_envs import Environment, EnvironmentProblem, Store
from codeloc_envs.credentials import NoCredential
from codeloc_envs.ownership import barrier
from codelocd.core import events, problems, remedies
from codelocd.core.timing import Timing
from codelocd.daemon import sources
from codelocd.daemon.limits import LocationLimits
from codelocd.daemon.location import (
    Leases,
    Location,
    Running,
    shortage_problem,
    tell_shortage,
)
from codelocd.daemon.placed import PlacedLocations
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.runner_specs import RunnerSpecs, read_secrets
from codelocd.daemon.start_limits import StartLimits
from codelocd.model import Cold, Ended, Exit, Policy, Problem, RunnerId
from codelocd.process.accounts import account
from codelocd.process.child import shielded
from codelocd.releases.release_folder import DamagedRelease
from codelocd.rpc.errors import RpcError
from codelocd.runners import api, stacks
from codelocd.runners.api import Launcher, MustStartCold, RunnerHandle
from codelocd.runners.engine import EngineRefuses
from codelocd.storage.paths import lock_holder
from codelocd.watch.watch import SourceWatch

LAST_LINES = 200
"""Lines of output that are searched for the place of a crash."""


class RunnerStarts:
    """Starts runners for all locations. The outcome of a start is sent to its location as an
    event."""

    def __init__(
        self,
        launcher: Launcher,
        specs: RunnerSpecs,
        store: Store,
        watch: SourceWatch,
        start_limits: StartLimits,
        limits: LocationLimits,
        publisher: Publisher,
        placed: PlacedLocations | None = None,
    ) -> None:
        """`placed`: what is done otherwise for locations that an engine places."""
        self._limits, self._publisher = limits, publisher
        self._launcher, self._placed = launcher, placed
        self._specs = specs
        self._store = store
        self._watch = watch
        self._start_limits = start_limits

    async def launch(self, location: Location, number: RunnerId, cold: Cold | None) -> None:
        if location.state.history.streak:
            await self._start_limits.restarts.turn()
        if not await _alone(location, number, self._placed):
            return
        async with self._start_limits.start(beside=location.state.serving is not None):
            running = await self._start(location, number, cold)
            if running is not None:
                await self._load(location, number, running)

    async def _start(
        self, location: Location, number: RunnerId, cold: Cold | None
    ) -> Running | None:
        environment = location.state.environment
        assert environment is not None
        if self._placed is not None and not location.spec.placement.is_local:
            return await self._start_placed(location, number, environment, self._placed)
        try:
            sources.follow(self._watch, location)
            self._watch.begin(location.name, prepared=True)
            secrets = await asyncio.to_thread(read_secrets, location.spec, os.environ)
            leasing = asyncio.to_thread(self._leased, location, environment)
            lease = await shielded(leasing, Leases.close)
        except EnvironmentProblem as failure:
            problem = Problem("crash", failure.summary, at=time.time())
            lost = events.EnvironmentLost(number, problem, random.random())
            location.tell(lost)
            return None
        except (NoCredential, DamagedRelease) as failure:
            location.tell(events.LoadFailed(number, _unfit(location.name, failure)))
            return None
        except OSError as failure:
            self._not_started(location, number, failure)
            return None
        timing = Timing(location.saved_at, location.changed_at, decided=time.time())
        order = replace(self._specs.order(location, environment, lease, secrets), cold=cold)
        order = self._limits.told(order, location.spec.policy)
        try:
            handle = await shielded(self._launcher.start(order), _kill)
        except asyncio.CancelledError:
            lease.close()
            self._limits.discard(order.group)
            raise
        except OSError as failure:
            lease.close()
            self._limits.discard(order.group)
            self._not_started(location, number, failure)
            return None
        timing.started = time.time()
        running = Running(handle, order, environment, lease, time.monotonic(), timing)
        self.follow(location, number, running)
        location.tell(events.Launched(number))
        return running

    async def _start_placed(
        self,
        location: Location,
        number: RunnerId,
        environment: Environment,
        placed: PlacedLocations,
    ) -> Running | None:
        """On a node, once no earlier runner of the location may still live out of reach."""
        try:
            sources.follow(self._watch, location)
            self._watch.begin(location.name, prepared=True)
            held = await asyncio.to_thread(self._specs.checked_lease, location.spec)
            if held is not None:
                held.close()  # what is current or tried is not removed, and the node has a copy
            await placed.fenced(location)
            secrets = await asyncio.to_thread(read_secrets, location.spec, os.environ)
            timing = Timing(location.saved_at, location.changed_at, decided=time.time())
            order = placed.runner(location, environment, secrets)
            handle = await shielded(placed.engine.start(order), _kill)
        except (NoCredential, DamagedRelease) as failure:
            location.tell(events.LoadFailed(number, _unfit(location.name, failure)))
            return None
        except EngineRefuses as refusal:
            found = refusal.problem
            waits = events.MachineLacks(number, found, random.random())
            location.tell(waits if refusal.passing else events.LoadFailed(number, found))
            return None
        except EnvironmentProblem as failure:
            problem = Problem("environment", failure.summary, failure.detail, time.time())
            location.tell(events.EnvironmentLost(number, problem, random.random()))
            return None
        except OSError as failure:
            self._not_started(location, number, failure)
            return None
        timing.started = time.time()
        running = Running(handle, order, environment, None, time.monotonic(), timing)
        self.follow(location, number, running)
        location.tell(events.Launched(number))
        return running

    def _leased(self, location: Location, environment: Environment) -> Leases:
        """The leases of an environment and a release that the location's user can use. Blocks.
        Raises EnvironmentProblem, DamagedRelease, OSError."""
        lease = self._store.lease(environment)
        try:
            self._specs.open_up(location.spec, environment)
            return Leases(lease, self._specs.checked_lease(location.spec))
        except BaseException:
            lease.close()
            raise

    def follow(self, location: Location, number: RunnerId, running: Running) -> None:
        """Add it to the location's runners, and report its end when that comes."""
        location.runners[number] = running
        running.handle.exited.add_done_callback(
            lambda end: self._exited(location, number, end.result())
        )
        if running.handle.node is None:
            self._limits.begin(location, number, running)

    def _not_started(self, location: Location, number: RunnerId, failure: OSError) -> None:
        if tell_shortage(location, number, "the runner cannot be started", failure):
            return
        who, environment = account(location.spec.user, location.spec.group), location.environment
        if who is not None and environment is not None and isinstance(failure, PermissionError):
            closed = barrier(environment.executable, who.uid, who.groups)
            what = f"user {who.name} may not pass {closed}, where its Python is"
            summary = f"{what}; use another Python, or `chmod o+x` that folder"
            problem = Problem("config", summary, at=time.time())
            location.tell(events.LoadFailed(number, problem))
            return
        directory = location.spec.working_directory
        if not directory.is_dir():
            summary = f"the working directory {directory} does not exist"
            problem = Problem("config", summary, at=time.time())
            location.tell(events.LoadFailed(number, problem))
            return
        crashed(location, number, f"the runner cannot be started: {failure}")

    # --- loading -------------------------------------------------------------------------------

    async def _load(self, location: Location, number: RunnerId, running: Running) -> None:
        """Wait for the outcome of its load. The end of a runner that dies meanwhile is reported by
        `_ended`."""
        try:
            outcome = await running.handle.load()
        except RpcError as failure:
            cause = failure.__cause__ or failure
            if tell_shortage(location, number, "the runner cannot be reached", cause):
                return
            if failure.kind != "down":
                summary = f"the runner sent no snapshot that can be used: {failure.message}"
                problem = Problem("load", summary, at=time.time())
                location.tell(events.LoadFailed(number, problem))
            return
        match outcome:
            case api.LoadedOutcome(snapshot, importing, read, body):
                snapshot = await self._publisher.prepare(location.name, snapshot, body)
                running.snapshot, running.read = snapshot, read
                running.timing.loaded, running.timing.importing = time.time(), importing
                if self._placed is not None:
                    await self._placed.fenced(location)
                if location.state.serving is None and not await running.handle.serve():
                    found = await another(running)
                    location.tell(events.MachineLacks(number, found, random.random(), lives=True))
                    return
                self.inspect(location, number)
            case api.FailedOutcome(said, seen, read, limit):
                running.timing.loaded = time.time()
                remedy = await asyncio.to_thread(_remedy, location, said)
                problem = problems.of_load(said, time.time(), remedy.line, remedy.block)
                problem = limit or self._limits.met(problem, running, location.spec.policy)
                current = not self._watch.loaded(location.name, seen).paths
                lacking = problems.lacking(said)
                if lacking is not None and problem.kind != "limit":  # that is its own, not ours
                    found = shortage_problem(lacking, problem.detail)
                    location.tell(events.MachineLacks(number, found, random.random(), lives=True))
                    return
                awaited = sources.where_installed(location, said.get("missing"))
                failed = events.LoadFailed(number, problem, (*read, *awaited), current)
                location.tell(failed)
            case MustStartCold(cold):
                location.tell(events.Diverged(number, cold, time.time()))

    def inspect(self, location: Location, number: RunnerId) -> None:
        if (running := location.runners.get(number)) is None or running.snapshot is None:
            return
        since = self._watch.loaded(location.name, running.snapshot.sources)
        loaded = events.Loaded(number, not since.paths, since.locked, running.read)
        location.tell(loaded)

    async def explain(self, location: Location, number: RunnerId) -> None:
        running = location.runners.get(number)
        found = stacks.Stacks(())
        if running is not None:
            found = await stacks.of_runner(running.handle, running.order.output, ask=True)
        folder, limit = location.spec.working_directory, location.spec.policy.start_timeout
        problem = problems.of_hang(limit, found.threads, time.time(), folder, found.note)
        current = not self._watch.pending(location.name).paths
        location.tell(events.LoadFailed(number, problem, current=current))

    def suspect(self, running: Running, suspicion: str) -> None:
        """Note in the import profile what its warm start is suspected of."""
        self._launcher.suspect(running.order, suspicion)

    def adjust(self, location: Location, former: Policy) -> None:
        """Apply changed limits to the runners that are there."""
        self._limits.adjust(location, former)

    def forget(self, location: Location) -> None:
        """The location is gone: release what is held for it."""
        self._specs.logs.forget(location.name)

    # --- ends ----------------------------------------------------------------------------------

    def _exited(self, location: Location, number: RunnerId, end: Exit) -> None:
        running = location.runners.pop(number)
        if running.lease is not None:
            running.lease.close()
        self._publisher.discard(running.snapshot)
        now = time.time()
        since = round(running.timing.decided or 0, 3)  # as lines have it; earlier runners' are out
        last = self._specs.logs.lines([location.name], LAST_LINES)
        lines = [line.text for line in last if line.at >= since]
        folder = location.spec.working_directory
        problem = self._limits.ended(running.order.group, end, location.spec.policy)
        problem = problem or running.handle.gone
        problem = problem or problems.of_exit(end, running.snapshot is None, lines, now, folder)
        ended, cold = Ended(running.handle.pid, end, now), running.handle.blamed(end)
        exited = events.Exited(number, problem, random.random(), ended, cold)
        location.tell(exited)


def _unfit(location: str, failure: NoCredential | DamagedRelease) -> Problem:
    """Why it cannot be started as it is described."""
    if isinstance(failure, NoCredential):
        return Problem("config", str(failure), at=time.time())
    remedy = f"deploy it again, or `codelocd rollback {location}`"
    return Problem("load", f"the release is damaged: {failure}; {remedy}", at=time.time())


def crashed(location: Location, number: RunnerId, summary: str) -> None:
    """Report a runner that could not be started. The next attempt begins with the environment and
    may succeed."""
    problem = Problem("crash", summary, at=time.time())
    location.tell(events.Exited(number, problem, random.random()))


async def another(running: Running) -> Problem:
    """The problem of a runner that may not serve, since another process does."""
    lock = running.order.lock
    if lock is None:
        return problems.of_another_node(running.handle.node or "", time.time())
    return problems.of_another(lock, await asyncio.to_thread(lock_holder, lock), time.time())


async def _alone(location: Location, number: RunnerId, placed: PlacedLocations | None) -> bool:
    """Whether it may start: what an earlier daemon left on another machine has ended. Waits for
    that where it can be told; else the location does."""
    if placed is not None and (problem := placed.may_run_there(location)):
        location.tell(events.MachineLacks(number, problem, random.random()))
        return False
    await location.alone()
    return True


def _kill(handle: RunnerHandle) -> None:
    handle.kill()


def _remedy(location: Location, problem: Mapping[str, Any]) -> remedies.Remedy:
    """The remedy that the daemon knows for a failure; empty where it knows none."""
    missing, variable = problem.get("missing"), problem.get("variable")
    choice = location.state.choice
    found = None
    if missing is not None and choice is not None:
        found = remedies.remedy(missing, choice.specification, remedies.Origin.of(location.spec))
    elif variable is not None:
        found = remedies.Remedy(remedies.variable(variable, location.spec))
    return found or remedies.Remedy("")
