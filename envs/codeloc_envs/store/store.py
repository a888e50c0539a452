"""The store: environments by what they hold, shared by all with the same needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs.environment import Environment, Existing, Origin, require
from codeloc_envs.files import make_folder
from codeloc_envs.filesystem import require_locks
from codeloc_envs.fingerprint import InputsKey, existing_key, inputs_key
from codeloc_envs.inputs import gather
from codeloc_envs.install.build import EnvironmentBuild
from codeloc_envs.install.output import Listener, Progress
from codeloc_envs.install.tools import download, tool_of
from codeloc_envs.install.uv_settings import BUILD_VARIABLES, settings_that_count, variables_for_uv
from codeloc_envs.interpreter import Interpreter
from codeloc_envs.interpreters import Interpreters, NotAskedYetError, activation
from codeloc_envs.problem import EnvironmentProblem, shortage, without_passwords
from codeloc_envs.request import EnvironmentKind, Specification
from codeloc_envs.store import collect
from codeloc_envs.store.layout import Layout
from codeloc_envs.store.lease import Lease, hold, share
from codeloc_envs.store.records import (
    Publication,
    Resolution,
    has_sound_lock,
    publications,
    read_publication,
    read_resolution,
    reasons,
    unfit,
)

if TYPE_CHECKING:
    from codeloc_envs.documents import (
        EnvironmentFacts,
        PrunableEnvironment,
        StoredEnvironment,
        UnusedFolder,
    )


@dataclass(frozen=True, slots=True)
class _Need:
    """A specification with the interpreter and the files of this moment."""

    specification: Specification
    interpreter: Interpreter
    key: InputsKey
    selected: Mapping[str, Any]
    variables: Mapping[str, str]


class Store:
    """A folder of ready environments. Any number of processes may use one at once."""

    def __init__(self, root: Path) -> None:
        self._layout = Layout(root)

    def find(self, specification: Specification) -> Environment | None:
        """The ready environment, None if it has to be built.

        Starts no process, and takes some milliseconds. What stands in the store but is no longer
        what was built counts as absent. Raises EnvironmentProblem.
        """
        try:
            if specification.kind is EnvironmentKind.EXISTING:
                return self._existing(specification, ask=False)
            need = self._need(specification, ask=False)
        except NotAskedYetError:
            return None
        except EnvironmentProblem:
            if specification.request.installation.allow_python_download:
                return None
            raise
        resolution = self._current(need)
        if resolution is None or (publication := self._ready(resolution)) is None:
            return None
        return publication.environment(self._layout, "reused", resolution.files())

    def build(
        self, specification: Specification, progress: Listener, *, refresh: bool = False
    ) -> Environment:
        """The environment, built if need be; `refresh` looks for newer versions first.

        Of several builders of the same environment one builds and the others reuse. Killed
        at any moment, it leaves nothing that is found. Raises EnvironmentProblem.
        """
        try:
            self._layout.prepare()
            require_locks(self._layout.root)
            if specification.kind is EnvironmentKind.EXISTING:
                return self._existing(specification, ask=True)
            return self._build(self._fetched(specification, progress), progress, refresh)
        except OSError as error:
            raise EnvironmentProblem(
                f"the store {self._layout.root}: {error.strerror or error}"
                + (f" ({error.filename})" if error.filename else ""),
                shortage=shortage(error),
            ) from None

    def lease(self, environment: Environment) -> Lease:
        """Keep `environment` from being removed.

        Raises EnvironmentProblem if it just was, or is no longer what was built; OSError.
        """
        make_folder(self._layout.leases)
        lease = share(self._layout.lease(environment.lease_name))
        try:
            reason = None if environment.origin == "existing" else self._lost(environment)
            if reason:
                what = f"the environment {environment.key} {reason}; build it again"
                raise EnvironmentProblem(what)
        except BaseException:
            lease.close()
            raise
        return lease

    def list(self) -> list[StoredEnvironment]:
        """Every environment."""
        why = reasons(self._layout.resolutions.glob("*"))
        return [
            {
                **self._listed(publication),
                "why": sorted(map(without_passwords, why.get(publication.key, ()))),
            }
            for publication in publications(self._layout)
        ]

    def prune(self, *, idle: float = collect.IDLE, size: int | None = None) -> collect.Pruned:
        """Remove what was not used for `idle` seconds, and the longest unused above `size`."""
        return collect.prune(self._layout, idle=idle, size=size)

    def prunable(
        self, *, idle: float = collect.IDLE, size: int | None = None
    ) -> tuple[PrunableEnvironment, ...]:
        """What `prune` would remove now."""
        found = collect.going(self._layout, time.time(), idle=idle, size=size)
        return tuple(
            {**self._listed(each.publication), "own": each.own, "reason": each.why}
            for each in found
        )

    def unused(self, *, idle: float = collect.IDLE) -> tuple[UnusedFolder, ...]:
        """What `prune` would remove beside environments."""
        return tuple(
            {"kind": each.kind, "path": str(each.path), "last_used": each.last_used}
            for each in collect.unused(self._layout, time.time() - idle)
        )

    def pythons(self) -> tuple[Interpreter, ...]:
        """Every Python of this machine that an environment can be built with."""
        return self._pythons().every()

    def _build(self, need: _Need, progress: Listener, refresh: bool) -> Environment:
        collect.sweep(self._layout)
        layout, specification = self._layout, need.specification
        tool = tool_of(specification, need.interpreter, need.variables, progress)
        builder = EnvironmentBuild(
            layout, specification, need.interpreter, need.selected, tool, progress
        )
        with hold(layout.lock(need.key), _waiting(progress)):
            resolution = None if refresh else self._current(need)
            if resolution is None or not has_sound_lock(layout, resolution):
                folder = layout.resolutions / need.key
                resolution = builder.resolve(folder, upgrade=refresh)
            with hold(layout.lock(resolution.environment), _waiting(progress)):
                ready = self._ready(resolution, progress)
                made = ready or builder.make(resolution)
                origin: Origin = "reused" if ready else "built"
                return made.environment(layout, origin, resolution.files())

    def _fetched(self, specification: Specification, progress: Listener) -> _Need:
        """Its need, for which a Python is fetched if it may be."""
        try:
            self._pythons().find(specification.python)
        except EnvironmentProblem:
            if not specification.request.installation.allow_python_download:
                raise
            variables = self._variables(specification)
            download(specification.python, self._layout.pythons, variables, progress)
        return self._need(specification, ask=True)

    def _pythons(self) -> Interpreters:
        return Interpreters(self._layout.interpreters, fetched=self._layout.pythons)

    def _need(self, specification: Specification, *, ask: bool) -> _Need:
        interpreter = self._pythons().find(specification.python, ask=ask)
        installation = specification.request.installation
        variables = self._variables(specification)
        inputs = gather(specification, settings_that_count(variables))
        compiler = {name: variables.get(name) for name in BUILD_VARIABLES if name in variables}
        selected = {"extras": inputs["extras"], "groups": inputs["groups"], "variables": compiler}
        if installation.link_mode != "hardlink":
            selected["links"] = installation.link_mode
        key = inputs_key(inputs, interpreter.fingerprint())
        return _Need(specification, interpreter, key, selected, variables)

    def _variables(self, specification: Specification) -> dict[str, str]:
        installation = specification.request.installation
        return variables_for_uv(os.environ, Path.home(), self._layout.packages, installation)

    def _current(self, need: _Need) -> Resolution | None:
        resolution = read_resolution(self._layout.resolutions / need.key)
        return resolution if resolution and resolution.is_current() else None

    def _ready(self, resolution: Resolution, listen: Listener | None = None) -> Publication | None:
        """The environment of `resolution`; `listen` is told why one that is there is unfit."""
        publication = read_publication(self._layout, resolution.environment)
        if publication is None:
            return None
        reason = unfit(self._layout, publication)
        if reason and listen:
            listen(Progress("replacing", f"environment {publication.key}: {reason}"))
        return None if reason else publication

    def _lost(self, environment: Environment) -> str | None:
        """Why the folder of `environment` must not be used any more."""
        publication = read_publication(self._layout, environment.key)
        if publication is None or publication.directory != environment.lease_name:
            return "was removed from the store"
        reason = unfit(self._layout, publication)
        return f"must not be used: {reason}" if reason else None

    def _existing(self, specification: Specification, *, ask: bool) -> Environment:
        assert specification.request.path is not None
        found = require(specification.request.path, "asked for")
        python = self._pythons().at(found.executable, ask=ask)
        if python is None:
            raise EnvironmentProblem(f"{found.executable} is no Python that runs")
        key = existing_key(str(found.prefix or found.executable), python.fingerprint())
        return Environment(
            key,
            found.prefix,
            python.text,
            found.executable,
            "existing",
            found.flavour,
            found.has_bytecode,
            self._activation(found, ask=ask),
        )

    def _activation(self, found: Existing, *, ask: bool) -> dict[str, str]:
        if found.flavour != "conda" or found.prefix is None:
            return {}
        return activation(found.prefix, self._layout.activations, ask=ask)

    def _listed(self, publication: Publication) -> EnvironmentFacts:
        return {
            "key": publication.key,
            "path": str(self._layout.environments / publication.directory),
            "python": publication.python,
            "packages": list(publication.packages),
            "size": publication.size,
            "shared": publication.shared,
            "created": publication.created,
            "last_used": publication.last_used(self._layout),
        }


def _waiting(progress: Listener) -> Callable[[], None]:
    return lambda: progress(Progress("waiting", "another process is building the same environment"))
