"""Prepares the environment of a location: chooses it, finds it in the store or builds it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from codeloc_envs import (
    Choice,
    Environment,
    EnvironmentProblem,
    Request,
    Specification,
    Store,
    choose,
)
from codelocd.core import events
from codelocd.daemon import sources
from codelocd.daemon.location import Location, shortage_problem, tell_shortage
from codelocd.daemon.missing_dagster import require_dagster
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.start_limits import StartLimits
from codelocd.model import BuildId, LocationSpec, Problem
from codelocd.runners import variables
from codelocd.runners.environments import Builder
from codelocd.watch.watch import SourceWatch

KINDS = 64
"""The number of kinds of locations whose last look is remembered; one config rarely has more."""

_Kind = tuple[Request | None, Path, bool]
"""Locations of one kind look at the same files when an environment is chosen: they differ in their
code alone."""


class Preparation:
    """Prepares environments for all locations; `publisher` reports the progress of builds."""

    def __init__(
        self,
        store: Store,
        builder: Builder,
        watch: SourceWatch,
        start_limits: StartLimits,
        publisher: Publisher,
    ) -> None:
        self._finds = SharedLooks(lambda specification: store.find(specification))
        self._builder = builder
        self._watch = watch
        self._start_limits = start_limits
        self._publisher = publisher
        self._looked_at: dict[_Kind, tuple[Path, ...]] = {}

    async def prepare(self, location: Location, build: BuildId) -> None:
        """Ends with EnvironmentReady, EnvironmentFailed or MachineLacks, told to the location."""
        try:
            async with self._start_limits.preparation(beside=location.state.serving is not None):
                environment, inputs = await self._environment(location, build)
        except EnvironmentProblem as failure:
            self._failed(location, build, failure)
        except OSError as failure:
            if tell_shortage(location, build, "the environment cannot be looked at", failure):
                return
            summary = f"the environment cannot be looked at: {failure}"
            problem = Problem("environment", summary, at=time.time())
            location.tell(events.EnvironmentFailed(build, problem, passing=True))
        else:
            known = set(location.state.inputs)
            location.tell(events.EnvironmentReady(build, environment, inputs))
            if known != set(inputs):
                sources.follow(self._watch, location)

    def _failed(self, location: Location, build: BuildId, failure: EnvironmentProblem) -> None:
        if failure.shortage is not None:
            problem = shortage_problem(failure.shortage, f"{failure.summary}\n{failure.detail}")
            location.tell(events.MachineLacks(build, problem, random.random()))
            return
        problem = Problem("environment", failure.summary, failure.detail, time.time())
        location.tell(events.EnvironmentFailed(build, problem, failure.passing, failure.inputs))
        sources.follow(self._watch, location)

    async def _environment(
        self, location: Location, build: BuildId
    ) -> tuple[Environment, tuple[Path, ...]]:
        """The location's environment, ready, and the files that it depends on. Raises
        EnvironmentProblem, OSError."""
        choice = await self._chosen(location, build)
        ready = await self._finds.find(choice.specification)
        if ready is None:
            ready = await self._builder.build(
                choice.specification,
                lambda progress: self._publisher.progressed(location, progress),
            )
        inputs = (*choice.inputs, *choice.looked_at, *ready.sources)
        described = choice.specification
        await asyncio.to_thread(require_dagster, location.spec, ready, described, inputs)
        return ready, inputs

    async def _chosen(self, location: Location, build: BuildId) -> Choice:
        """The choice of an environment. The files that it depends on are watched before they are
        read, so that no save is missed.

        The first choice of a location begins with the files that the last one of its kind looked
        at: if those were all, one choice is enough."""
        code = sources.code(location.spec)
        kind = _kind(location.spec, code)
        location.expected = () if location.state.inputs else self._looked_at.get(kind, ())
        try:
            sources.follow(self._watch, location)
            self._watch.begin(location.name)
            while True:
                watched_inputs = set(location.inputs)
                choice = await asyncio.to_thread(_choose, location.spec, code)
                looked_at = {*choice.inputs, *choice.looked_at}
                others = watched_inputs - looked_at
                inputs = (*looked_at, *others)
                location.tell(events.EnvironmentChosen(build, choice, inputs))
                if len(inputs) == len(watched_inputs):  # all that it looked at was watched
                    break
                sources.follow(self._watch, location)
        finally:
            location.expected = ()
        self._remember(kind, tuple(looked_at - {code}))
        return choice

    def _remember(self, kind: _Kind, looked_at: tuple[Path, ...]) -> None:
        self._looked_at.pop(kind, None)
        self._looked_at[kind] = looked_at
        if len(self._looked_at) > KINDS:
            del self._looked_at[next(iter(self._looked_at))]


class SharedLooks:
    """One look at a time for each specification. Those who ask while one is under way share the
    next, which has not begun when they ask: many locations that start together ask for the same.
    """

    def __init__(self, look: Callable[[Specification], Environment | None]) -> None:
        self._look = look
        self._latest: dict[Specification, asyncio.Task[Environment | None]] = {}
        self._next: dict[Specification, asyncio.Task[Environment | None]] = {}

    async def find(self, specification: Specification) -> Environment | None:
        """What a look finds that begins after this was asked. Raises what the look raises."""
        shared = self._next.get(specification)
        if shared is None:
            look = self._after(self._latest.get(specification), specification)
            shared = self._next[specification] = asyncio.get_running_loop().create_task(look)
        return await asyncio.shield(shared)

    async def _after(
        self, former: asyncio.Task[Environment | None] | None, specification: Specification
    ) -> Environment | None:
        if former is not None:
            await asyncio.wait([former])
        mine = self._latest[specification] = self._next.pop(specification)
        try:
            return await asyncio.to_thread(self._look, specification)
        finally:
            if self._latest[specification] is mine:
                del self._latest[specification]


def _kind(spec: LocationSpec, code: Path) -> _Kind:
    folder = code.parent if code.suffix == ".py" else code
    return spec.environment, folder, spec.activated_allowed


def _choose(spec: LocationSpec, code: Path) -> Choice:
    activated = variables.activated_environment(os.environ) if spec.activated_allowed else None
    return choose(spec.environment, code=code, activated=activated)
