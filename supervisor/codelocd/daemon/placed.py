"""Locations that an engine places: how they are ordered, and what its news means for them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs import Choice, Environment, EnvironmentProblem, Specification
from codeloc_envs.request import EnvironmentKind
from codelocd.core import events, limits
from codelocd.daemon.location import Location
from codelocd.daemon.locations import Locations
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.runner_specs import RunnerSpecs
from codelocd.dagster.webserver import DaemonParts
from codelocd.model import Config, Output, Problem
from codelocd.render.text import size
from codelocd.runners import variables
from codelocd.runners.api import RunnerSpec
from codelocd.runners.engine import (
    WAITING,
    CommandEnd,
    EngineCommand,
    EngineEvent,
    EngineOrder,
    LeftRunner,
)
from codelocd.storage.paths import DaemonPaths
from codelocd.storage.snapshots import Documents

if TYPE_CHECKING:
    from codelocd.documents.locations import EngineStatus
    from codelocd.engine.engine import BridgeEngine

FIRST = 15.0
"""Seconds that a new daemon waits for the cluster, to hear what an earlier one has left there."""

LOOK = 0.1
"""Seconds between two looks whether a runner that is out of reach is back."""

EVERY = 5.0
"""Seconds between two looks at the memory of runners on nodes, which tell of it themselves."""

LOG = "engine-bridge"
"""Where what the bridge prints goes, Ray's own words among it, beside the logs of locations."""


class PlacedLocations:
    """Those of one daemon. `engine` does what is asked; this decides nothing but what to ask."""

    def __init__(
        self,
        engine: BridgeEngine,
        specs: RunnerSpecs,
        locations: Locations,
        publisher: Publisher,
        before: Mapping[str, str],
        *,
        development: bool,
    ) -> None:
        """`before`: the node of each location that ran on one when the daemon before told it."""
        self.engine = engine
        self._before = before
        self._specs = specs
        self._locations = locations
        self._publisher = publisher
        self._development = development
        self._prepared: dict[str, int] = {}
        self.left: dict[str, LeftRunner] = {}
        self._adopt: Callable[[Location], bool] | None = None
        engine.listen(self._hear)

    def about(self) -> EngineStatus:
        """What `status` tells of the engine."""
        from codelocd.engine.nodes import node_status

        engine = self.engine
        state, settings, about = engine.state, engine.settings, engine.about
        return {
            "kind": settings.kind,
            "address": settings.address,
            "up": state.is_up,
            "why": state.why,
            "since": state.since,
            "pid": engine.bridge_pid,
            "version": about.get("version"),
            "python": about.get("python"),
            "nodes": [node_status(each) for each in engine.nodes],
        }

    async def read_left(self) -> None:
        """What an earlier daemon has left there, the newest of each location."""
        self._know(await self.engine.left(FIRST))

    def end_there(self, location: Location) -> None:
        """It is to run on this machine from now on, where nothing starts before the end of what an
        earlier daemon has left on a node."""
        if (left := self.left.pop(location.name, None)) is not None:
            output = self._specs.logs.output(location.name, left.record["generation"])
            location.earlier.append(self.engine.end(left, output))

    def may_run_there(self, location: Location) -> Problem | None:
        """Why a location of this machine must not start: it may still run on a node."""
        node = self._before.get(location.name)
        if node is None or self.engine.has_met or not location.spec.placement.is_local:
            return None
        what = f"it may still run on node {node}, which is not known while the engine"
        why = f"is out of reach: {self.engine.state.why}"
        return Problem("limit", f"{WAITING}: {what} {why}", at=time.time())

    def settle(self, adopt: Callable[[Location], bool]) -> None:
        """Called once the locations are known: end what none of them took. While the cluster is
        out of reach they wait, and `adopt` is tried as soon as it is known what is there."""
        self._adopt = adopt
        self._take_late(adopt)

    def _know(self, found: Iterable[LeftRunner]) -> None:
        for left in sorted(found, key=lambda each: each.epoch):
            self.left[left.location] = left

    def _take_late(self, adopt: Callable[[Location], bool]) -> None:
        """The cluster is in reach: go on with what is found there, and end what is not wanted."""
        self._know(self.engine.known_left())
        for name in tuple(self.left):
            location = self._locations.get(name)
            if location is not None and location.state.wanted and not location.removed:
                adopt(location)
        self.left.clear()
        self.engine.end_left()

    async def prepare(self, location: Location, choice: Choice) -> Environment:
        """Raises EnvironmentProblem, EngineRefuses."""
        _refuse_existing(location, choice)
        order = self._order(location, choice, self.engine.epoch(location.name))
        self._prepared[location.name] = order.epoch
        return await self.engine.prepare(
            order, lambda progress: self._publisher.progressed(location, progress)
        )

    def runner(
        self, location: Location, environment: Environment, secrets: Mapping[str, str]
    ) -> RunnerSpec:
        """The order for a runner where the last build was prepared, or anywhere. `secrets`: the
        variables that have been read from credentials."""
        choice = location.choice
        assert choice is not None, "a runner is started after an environment was chosen"
        epoch = self._prepared.pop(location.name, None) or self.engine.epoch(location.name)
        order = self._order(location, choice, epoch)
        order = replace(order, configured={**location.spec.variables, **secrets})
        return self._specs.placed(location, environment, order)

    def command(
        self,
        location: Location,
        secrets: Mapping[str, str],
        words: Sequence[str],
        output: Output,
        **how: Any,
    ) -> tuple[EngineCommand, asyncio.Future[CommandEnd]]:
        """A one-shot command where and as the location's runner would run. Raises
        EnvironmentProblem."""
        assert location.choice is not None, "its environment was chosen"
        _refuse_existing(location, location.choice)
        order = self._order(location, location.choice, 0)
        order = replace(order, configured={**location.spec.variables, **secrets})
        tell = partial(self._publisher.progressed, location)
        return self.engine.command(order, words, output, progress=tell, **how)

    def adopted(
        self, location: Location, environment: Environment, left: LeftRunner, output: Output
    ) -> RunnerSpec:
        """The order by which an earlier daemon may have started what it left."""
        missing = Choice(Specification(EnvironmentKind.PACKAGES, Path("/")), "", ())
        order = self._order(location, location.choice or missing, left.epoch)
        return replace(self._specs.placed(location, environment, order), output=output)

    async def fenced(self, location: Location) -> None:
        """Returns when no runner of the location is out of reach that may still live."""
        while lost := [each for each in location.runners.values() if each.handle.lost is not None]:
            await asyncio.wait([each.handle.exited for each in lost], timeout=LOOK)

    def kill(self) -> None:
        """End the bridge at once."""
        self.engine.kill()

    async def watch_memory(self) -> None:
        """For ever: hold runners on nodes to the memory limits of their locations."""
        while True:
            await asyncio.sleep(EVERY)
            for location in tuple(self._locations.values()):
                self._judge(location)

    def _judge(self, location: Location) -> None:
        limit, serving, number = (
            location.spec.policy.memory_limit,
            location.serving,
            location.state.serving,
        )
        if limit is None or serving is None or number is None or serving.handle.node is None:
            return
        usage = serving.handle.usage
        if usage is not None and usage[0] > limit and location.state.condemned is None:
            problem = limits.over_memory(
                size(usage[0]), size(limit), time.time(), limits.RUNNER, ""
            )
            location.tell(events.Condemned(number, problem))

    def _order(self, location: Location, choice: Choice, epoch: int) -> EngineOrder:
        spec, serving = location.spec, location.serving
        inherited = variables.inherited(os.environ, development=self._development)
        before = None
        if serving is not None and serving.order.remote is not None:
            before = serving.order.remote.epoch
        return EngineOrder(
            location=spec.name,
            epoch=epoch,
            specification=choice.specification,
            inputs=choice.inputs,
            placement=spec.placement,
            directory=spec.working_directory,
            files=tuple(Path(each) for each in location.sources),
            ignore=spec.ignore,
            inherited=variables.elsewhere(inherited),
            configured=spec.variables,
            beside=before,
        )

    def _hear(self, event: EngineEvent) -> None:
        location = self._locations.get(event.location or "")
        if event.location is None:
            if event.kind != "there":
                self._publisher.tell(f"engine-{event.kind}", event.what)
            if event.kind in ("up", "there") and self._adopt is not None:
                self._take_late(self._adopt)
        elif location is not None:
            name = "moved" if event.kind == "moved" else f"node-{event.kind}"
            self._publisher.announce(location, name, location.state, event.what)
            number, serving = location.state.serving, location.serving
            lost = None if serving is None else serving.handle.lost
            if event.kind == "lost" and lost is not None and number is not None:
                location.tell(events.Condemned(number, lost))


def _refuse_existing(location: Location, choice: Choice) -> None:
    """Raises EnvironmentProblem for one that stands on this machine alone."""
    kind, spec = choice.specification.kind, location.spec
    if kind is not EnvironmentKind.EXISTING or spec.placement.source == "shared":
        return
    what = f"{choice.specification.request.path or 'its environment'} is on this machine"
    how = 'say in its table what is in it, as environment = { project = "." }, or source = "shared"'
    raise EnvironmentProblem(f"{what}, and it runs on a node; {how}", inputs=choice.inputs)


def placed_locations(
    config: Config,
    paths: DaemonPaths,
    means: DaemonParts,
    specs: RunnerSpecs,
    locations: Locations,
    publisher: Publisher,
    entries: Documents,
) -> PlacedLocations | None:
    """None where the config has no engine: then nothing of one is imported. `entries`: what the
    daemon before told of each location."""
    if not config.engine.is_used:
        return None
    from codelocd.engine.engine import BridgeEngine
    from codelocd.engine.making import bridge_command, hello_of

    bundle = (means.codeloc or Path("/")).parents[1]
    output, state = means.logs.output(LOG, None), paths.state_dir.stat()
    owner = hashlib.blake2b(f"{state.st_dev}:{state.st_ino}".encode(), digest_size=8).hexdigest()
    alone = 0.0 if means.development else config.daemon.orphan_timeout
    engine = BridgeEngine(
        means.children,
        config.engine,
        bridge_command(config.engine, means.store, means.builder, output),
        hello_of(config.engine, owner, bundle, alone),
        output,
    )
    before = {each["name"]: each["node"] for each in entries.all() if each.get("node")}
    own = means.development
    return PlacedLocations(engine, specs, locations, publisher, before, development=own)


def warnings(placed: PlacedLocations | None) -> list[str]:
    """A line while the cluster is out of reach, with the reason."""
    if placed is None or placed.engine.state.is_up:
        return []
    address = placed.engine.settings.address
    where = f" at {address}" if address else ""
    return [f"the engine{where} is out of reach: {placed.engine.state.why}"]
