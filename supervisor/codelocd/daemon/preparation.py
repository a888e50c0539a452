"""Prepares the environment of a location: chooses it, finds it in the store or builds it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
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
from codeloc_envs.project.listing import listed
from codelocd.core import events, remedies
from codelocd.daemon import sources
from codelocd.daemon.location import Location, shortage_problem, tell_shortage
from codelocd.daemon.placed import PlacedLocations
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.sources import code
from codelocd.daemon.start_limits import StartLimits
from codelocd.model import BuildId, LocationSpec, Problem, Target
from codelocd.runners import variables
from codelocd.runners.engine import EngineRefuses
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
        placed: PlacedLocations | None = None,
    ) -> None:
        """`placed`: where an engine prepares environments of its own."""
        self._placed = placed
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
        except EngineRefuses as refusal:
            self._refused(location, build, refusal)
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

    def _refused(self, location: Location, build: BuildId, refusal: EngineRefuses) -> None:
        if refusal.passing:
            location.tell(events.MachineLacks(build, refusal.problem, random.random()))
        else:
            location.tell(events.EnvironmentFailed(build, refusal.problem))

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
        if self._placed is not None and not location.spec.placement.is_local:
            found = await self._placed.prepare(location, choice)
            return found, (*choice.inputs, *choice.looked_at)
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


# --- an environment without Dagster ------------------------------------------------------------

NAME = "dagster"
_ASKED = "import importlib.util as u; raise SystemExit(u.find_spec('dagster') is None)"
_PATIENCE = 10.0
_NATIVE = re.compile(rb"^\s*(?:from|import)\s+codeloc\b", re.MULTILINE)
_FILES = 200
"""The number of files that are searched for an import of codeloc."""


def require_dagster(
    spec: LocationSpec,
    environment: Environment,
    described: Specification,
    inputs: tuple[Path, ...],
) -> None:
    """Raises EnvironmentProblem where Dagster's format names code that cannot import dagster.

    Code that imports codeloc has definitions of its own and needs none. Starts a process where
    dagster does not stand where it is usually installed.
    """
    if not remedies.Origin.of(spec).is_dagsters or _has_dagster(environment, spec):
        return
    if any(_NATIVE.search(text) for text in _texts(spec)):
        return
    file = spec.declared_in.partition(" [")[0]
    remedy = _remedy(spec, described)
    raise EnvironmentProblem(
        f"the environment has no dagster, which {Path(file).name} is for; {remedy.line}",
        remedy.block,
        inputs=(*inputs, *_sites(environment)),
    )


def _has_dagster(environment: Environment, spec: LocationSpec) -> bool:
    if any(site.exists() for site in _sites(environment)):
        return True
    try:
        done = subprocess.run(
            [environment.executable, "-c", _ASKED],
            cwd=spec.working_directory,
            env={**os.environ, **spec.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return True  # the runner will report what is wrong with it
    return done.returncode != 1


def _sites(environment: Environment) -> Iterator[Path]:
    root = environment.path or environment.executable.resolve().parent.parent
    for site in root.glob("lib*/python3*/site-packages"):
        yield site / NAME / "__init__.py"


def _texts(spec: LocationSpec) -> Iterator[bytes]:
    first = code(spec)
    files = islice(first.rglob("*.py"), _FILES) if first.is_dir() else [first]
    for file in files:
        try:
            yield file.read_bytes()
        except OSError:
            continue


def _remedy(spec: LocationSpec, described: Specification) -> remedies.Remedy:
    found = listed(described, NAME)
    kind, _, part = (found.part if found else "").removeprefix("the ").partition(" ")
    lines = _location(spec, described, kind, part) if part else None
    if found is None or lines is None:
        known = remedies.remedy(NAME, described, remedies.Origin.of(spec))
        return known or remedies.Remedy("add it")
    config = Path(spec.declared_in.partition(" [")[0]).with_name("codelocd.toml")
    return remedies.Remedy(
        f"{found.file} has it in its {kind} {part} only: move it to dependencies, or "
        f"write {config}, which is then read instead, with {kind}s = [{json.dumps(part)}]",
        f"# {config}\n{lines}",
    )


def _location(spec: LocationSpec, described: Specification, kind: str, part: str) -> str | None:
    """The location as a table of codelocd.toml, None where that has no word for it."""
    target, folder = spec.target, Path(spec.declared_in.partition(" [")[0]).parent
    if not isinstance(target, Target) or target.kind == "autoload_defs_module":
        return None
    is_file = target.kind == "python_file"
    value = os.path.relpath(target.value, folder) if is_file else target.value
    lock = described.request.lock
    source = "project" if lock is None else "lock"
    path = lock or described.request.project or described.directory
    lines = [
        f"[location.{json.dumps(re.sub(r'[^A-Za-z0-9_.-]', '-', spec.name))}]",
        f"{target.kind} = {json.dumps(value)}",
    ]
    if spec.attribute:
        lines.append(f"attribute = {json.dumps(spec.attribute)}")
    if spec.working_directory != folder:
        lines.append(f"working_directory = {json.dumps(str(spec.working_directory))}")
    where = json.dumps(os.path.relpath(path, folder))
    lines.append(f"environment = {{ {source} = {where}, {kind}s = [{json.dumps(part)}] }}")
    return "\n".join(lines) + "\n"
