"""Prepares the environment of a location: chooses it, finds it in the store or builds it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from codeloc_envs import Choice, Environment, EnvironmentProblem, Store, choose
from codelocd.core import events
from codelocd.daemon import sources
from codelocd.daemon.location import Location
from codelocd.daemon.missing_dagster import require_dagster
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.start_limits import StartLimits
from codelocd.model import BuildId, LocationSpec, Problem
from codelocd.runners import variables
from codelocd.runners.environments import Builder
from codelocd.watch.watch import SourceWatch


class Preparation:
    """One for all locations; `publisher` tells of the progress of builds."""

    def __init__(
        self,
        store: Store,
        builder: Builder,
        watch: SourceWatch,
        start_limits: StartLimits,
        publisher: Publisher,
    ) -> None:
        self._store = store
        self._builder = builder
        self._watch = watch
        self._start_limits = start_limits
        self._publisher = publisher

    async def prepare(self, location: Location, build: BuildId) -> None:
        """Ends with EnvironmentReady or EnvironmentFailed, told to the location."""
        try:
            async with self._start_limits.preparation(beside=location.state.serving is not None):
                environment, inputs = await self._environment(location, build)
        except EnvironmentProblem as failure:
            problem = Problem("environment", failure.summary, failure.detail, time.time())
            location.tell(
                events.EnvironmentFailed(build, problem, failure.passing, failure.inputs),
            )
            sources.follow(self._watch, location)
        except OSError as failure:
            summary = f"the environment cannot be looked at: {failure}"
            problem = Problem("environment", summary, at=time.time())
            location.tell(events.EnvironmentFailed(build, problem, passing=True))
        else:
            known = set(location.state.inputs)
            location.tell(events.EnvironmentReady(build, environment, inputs))
            if known != set(inputs):
                sources.follow(self._watch, location)

    async def _environment(
        self, location: Location, build: BuildId
    ) -> tuple[Environment, tuple[Path, ...]]:
        """It, ready, and the files that it depends on. Raises EnvironmentProblem, OSError."""
        sources.follow(self._watch, location)
        self._watch.begin(location.name)
        choice = await self._chosen(location, build)
        ready = await asyncio.to_thread(self._store.find, choice.specification)
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
        """What it depends on is watched while it is read: a save in between is not lost."""
        watched_inputs = set(location.state.inputs)
        while True:
            choice = await asyncio.to_thread(_choose, location.spec)
            looked_at = {*choice.inputs, *choice.looked_at}
            known = watched_inputs.issuperset(looked_at)
            watched_inputs.update(looked_at)
            inputs = tuple(watched_inputs)
            location.tell(events.EnvironmentChosen(build, choice, inputs))
            if known:
                return choice
            sources.follow(self._watch, location)


def _choose(spec: LocationSpec) -> Choice:
    activated = variables.activated_environment(os.environ) if spec.activated_allowed else None
    return choose(spec.environment, code=sources.code(spec), activated=activated)
