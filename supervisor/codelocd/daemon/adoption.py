"""Lets runners outlive the daemon: it records each one that serves, and the next daemon adopts
it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from codeloc_envs import Environment, EnvironmentProblem, Store
from codeloc_envs.credentials import NoCredential
from codelocd.core import events
from codelocd.core.config_diff import of_runner
from codelocd.core.timing import Timing
from codelocd.daemon import sources
from codelocd.daemon.location import Leases, Location, Running
from codelocd.daemon.placed import PlacedLocations
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.runner_specs import RunnerSpecs, read_secrets
from codelocd.daemon.starts import RunnerStarts
from codelocd.model import Config, LocationSpec, Output, RunnerId, Snapshot
from codelocd.process.child import Child, Children
from codelocd.process.guardian import Guardian, HolderSettings
from codelocd.process.inheritance import RUNNER, Inheritance, InheritedProcess, LogOutput, receive
from codelocd.runners.api import PROTOCOL, RunnerHandle, RunnerSpec
from codelocd.runners.stacks import ObservedOutput
from codelocd.storage.logs import Logs
from codelocd.storage.paths import DaemonPaths
from codelocd.watch.watch import SourceWatch


class Adopts(Protocol):
    """The part of a launcher that continues with a runner which another daemon has started."""

    def adopt(self, spec: RunnerSpec, child: Child, record: Mapping[str, Any]) -> RunnerHandle: ...


@runtime_checkable
class KeptOnNode(Protocol):
    """A runner that its own node keeps for the next daemon, not this machine's holder."""

    def keep(self, record: Mapping[str, Any]) -> None: ...

    def let_go(self) -> None: ...


class HeldRunners:
    """Hands each runner that serves to the holder, so that it outlives the daemon. Candidates and
    runners that are leaving end with the daemon."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def keep(self, location: Location, running: Running) -> None:
        """The runner serves the location from now on: record it."""
        handle, snapshot = running.handle, running.snapshot
        own = {} if isinstance(handle, KeptOnNode) else handle.record
        if own is None or snapshot is None:
            return
        record = {
            **own,
            "kind": RUNNER,
            "location": location.name,
            "generation": running.generation,
            "environment": running.environment.to_json(),
            "since": running.began,
            "read": running.read,
            "group": running.order.group,
            "loader": snapshot.loader,
            "load_seconds": snapshot.load_seconds,
            "spec": fingerprint(location.spec),
            "release": running.order.release,
            "protocol": PROTOCOL,
        }
        if isinstance(handle, KeptOnNode):
            handle.keep(record)
        else:
            self._children.hold(handle.pid, record)

    def let_go(self, location: Location, number: RunnerId) -> None:
        """The runner is about to leave: take its record back, so that it ends with the daemon."""
        if (running := location.runners.get(number)) is None:
            return
        if isinstance(running.handle, KeptOnNode):
            running.handle.let_go()
        else:
            self._children.let_go(running.handle.pid)


def fingerprint(spec: LocationSpec) -> str:
    """The digest of the description that a runner was made from. The policy is left out, since it
    may change while the runner runs."""
    return hashlib.blake2b(repr(of_runner(spec)).encode(), digest_size=16).hexdigest()


class Adoption:
    """The runners that an earlier daemon left. Each location takes its own, once, with the
    definitions that it listed last, which `publisher` has."""

    def __init__(
        self,
        inheritance: Inheritance,
        children: Children,
        launcher: Adopts,
        specs: RunnerSpecs,
        starts: RunnerStarts,
        store: Store,
        watch: SourceWatch,
        publisher: Publisher,
        outputs: LogOutput,
        placed: PlacedLocations | None = None,
    ) -> None:
        """`outputs`: of all logs of the daemon."""
        self._outputs = outputs
        self._placed = placed
        self._inheritance = inheritance
        self._children = children
        self._launcher = launcher
        self._specs = specs
        self._starts = starts
        self._store = store
        self._watch = watch
        self._publisher = publisher
        self._large: dict[str, Snapshot | None] = {}
        self._rest: list[tuple[InheritedProcess, Output]] = []

    async def read(self) -> None:
        """Read the definitions that are so many that it takes a while."""
        names = {each.record["location"] for each in self._inheritance.left if each.kind == RUNNER}
        for name in filter(self._publisher.last_is_large, names):
            self._large[name] = await self._publisher.recall(name)
        if self._placed is not None:
            await self._placed.read_left()

    def adopt(self, location: Location) -> bool:
        """Whether a runner was left that serves the location now."""
        left = self._newest_of(location.name)
        if self._placed is not None and not location.spec.placement.is_local:
            if left is not None:
                self._end_here(location, left)
            return self._adopt_placed(location, self._placed)
        if self._placed is not None:
            self._placed.end_there(location)
        if left is None:
            return False
        output = ObservedOutput(self._output(left))
        left.tell(output)
        running = self._running(location, left, output)
        if running is None:
            left.end()
            left.finish(output)
            return False
        self._serve(location, running, left.record)
        return True

    def _adopt_placed(self, location: Location, placed: PlacedLocations) -> bool:
        left, snapshot = placed.left.pop(location.name, None), self._publisher.last(location.name)
        if left is None or snapshot is None or not location.state.may_adopt:
            return False
        record = left.record
        if snapshot.load_seconds != record["load_seconds"]:
            return False
        environment = Environment.from_json(record["environment"])
        generation = record["generation"]
        output = ObservedOutput(self._specs.logs.output(location.name, generation))
        handle = placed.engine.adopt(left, output)
        if handle is None:
            return False
        order = placed.adopted(location, environment, left, output)
        running = Running(handle, order, environment, None, record["since"], Timing())
        running.generation, running.snapshot = generation, snapshot
        running.read = tuple(record["read"])
        self._serve(location, running, record)
        return True

    def _end_here(self, location: Location, left: InheritedProcess) -> None:
        """It is to run on a node from now on, where nothing starts before this one's end."""
        output = self._output(left)
        left.tell(output)
        ends = asyncio.ensure_future(asyncio.to_thread(left.end))
        ends.add_done_callback(lambda _: left.finish(output))
        location.earlier.append(ends)

    def tell_rest(self) -> None:
        """Write what those printed last that ended with their daemon, and what is not wanted."""
        for left in self._inheritance.over:
            output = self._output(left)
            left.tell(output)
            left.finish(output)
        while self._large:
            self._publisher.discard(self._large.popitem()[1])
        self._rest = [(left, self._output(left)) for left in self._inheritance.left]
        for left, output in self._rest:
            left.tell(output)

    async def settle(self) -> None:
        """End every runner that no location has taken. It must not serve beside a new one."""
        for left, output in self._rest:
            await asyncio.to_thread(left.end)
            left.finish(output)
        if self._placed is not None:
            self._placed.settle(self.adopt)

    def _output(self, left: InheritedProcess) -> Output:
        return left.output(self._outputs)

    def _newest_of(self, name: str) -> InheritedProcess | None:
        runners = [left for left in self._inheritance.left if left.kind == RUNNER]
        mine = [left for left in runners if left.record["location"] == name]
        mine.sort(key=lambda left: left.record["generation"])
        if not mine:
            return None
        self._inheritance.left.remove(mine[-1])
        return mine[-1]

    def _running(
        self, location: Location, left: InheritedProcess, output: ObservedOutput
    ) -> Running | None:
        """The runner, as a launcher of this daemon would have made it; None if it cannot be
        continued."""
        record = left.record
        name = location.name
        known = name in self._large
        snapshot = self._large.pop(name) if known else self._publisher.last(name)
        if snapshot is None or snapshot.load_seconds != record["load_seconds"]:
            return None
        environment = Environment.from_json(record["environment"])
        release = record.get("release")  # an earlier version knew none
        try:
            lease = self._leases(name, environment, release)
        except (EnvironmentProblem, OSError):
            return None
        order = self._specs.order(location, environment, lease, _secrets(location))
        order = replace(order, output=output, group=record["group"], release=release)
        try:
            child = left.child(self._children, output)
        except ProcessLookupError:
            lease.close()
            return None
        handle = self._launcher.adopt(order, child, record)
        running = Running(handle, order, environment, lease, record["since"], Timing())
        running.generation, running.snapshot = record["generation"], snapshot
        running.read = tuple(record["read"])
        return running

    def _leases(self, name: str, environment: Environment, release: str | None) -> Leases:
        """Raises EnvironmentProblem, OSError."""
        lease = self._store.lease(environment)
        try:
            return Leases(lease, self._specs.lease_of_release(name, release))
        except BaseException:
            lease.close()
            raise

    def _serve(self, location: Location, running: Running, record: Mapping[str, Any]) -> None:
        assert running.snapshot is not None
        number = RunnerId(location.state.last_id + 1)
        location.snapshot = running.snapshot
        self._starts.follow(location, number, running)
        sources.follow(self._watch, location)
        self._watch.begin(location.name, prepared=True)
        current = not self._watch.loaded(location.name, running.snapshot.sources).paths
        location.tell(
            events.Adopted(number, record["generation"], running.environment, running.read, current)
        )
        if (record["spec"], record["protocol"]) != (fingerprint(location.spec), PROTOCOL):
            location.tell(events.ReloadAsked())


def _secrets(location: Location) -> Mapping[str, str]:
    """For what is started beside the runner, which has them: it goes on when they are gone."""
    with contextlib.suppress(NoCredential):
        return read_secrets(location.spec, os.environ)
    return {}


def outputs(*logs: Logs) -> LogOutput:
    """Those of a daemon, by their names."""
    by_name = {each.name: each for each in logs}
    return lambda name, location, generation: by_name.get(name, logs[0]).output(
        location, generation
    )


def inherited(guardian: Guardian, output: LogOutput) -> Inheritance:
    """What an earlier daemon has left. Its runners live for as long as the same pipe is open."""
    if guardian.keeping is None:
        return Inheritance()
    found = receive(guardian.keeping.path)
    if found.life is not None:
        guardian.share(found.life, found.transit)
    found.write_on_its_way(output)
    return found


def keeping(config: Config, paths: DaemonPaths, *, development: bool) -> HolderSettings | None:
    """How runners outlive the daemon. None where they all end with it: under `dev`, with
    `orphan_timeout = 0`, and on other systems than Linux."""
    timeout = config.daemon.orphan_timeout
    if development or not timeout or sys.platform != "linux":
        return None
    found = paths.state_dir.stat()
    kin = hashlib.blake2b(f"{found.st_dev}:{found.st_ino}".encode(), digest_size=4).hexdigest()
    return HolderSettings(paths.runtime_dir / "holder.sock", paths.state_dir, timeout, f"{kin}-")
