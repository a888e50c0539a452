"""What a launcher is told: how a location's runners, and commands like them, are started."""

from __future__ import annotations

import os
from pathlib import Path

from codeloc_envs import Environment, Lease
from codelocd.daemon import loops
from codelocd.daemon.location import Location
from codelocd.model import LocationSpec, Target
from codelocd.runners import variables
from codelocd.runners.api import RunnerSpec
from codelocd.runners.stacks import Overheard
from codelocd.storage.logs import Logs


class RunnerSpecs:
    """`children`: the folder of the bundle that makes `codeloc` importable in any Python.
    `bytecode_cache`: the folder for compiled files of environments that are not ours.
    `development`: user code is told so. `notes`: the folder where runners note what they write."""

    def __init__(
        self,
        logs: Logs,
        children: Path,
        bytecode_cache: Path,
        *,
        development: bool,
        notes: Path | None = None,
    ) -> None:
        self.logs = logs
        self._children = children
        self._bytecode_cache = bytecode_cache
        self._development = development
        self._notes = notes

    def order(self, location: Location, environment: Environment, lease: Lease) -> RunnerSpec:
        spec = location.spec
        assert isinstance(spec.target, Target)
        return RunnerSpec(
            location=spec.name,
            environment=environment.key,
            executable=environment.executable,
            variables=self.variables(spec, environment),
            working_directory=spec.working_directory,
            target=spec.target,
            attribute=spec.attribute,
            output=Overheard(self.logs.output(spec.name, location.state.generation + 1)),
            start_method=spec.policy.start_method,
            start_timeout=spec.policy.start_timeout,
            beside=location.state.serving is not None,
            held=(lease.fileno(),),
            written=None if self._notes is None else loops.notes(self._notes, spec.name),
            suspects=tuple(sorted(location.loops.suspects)),
        )

    def variables(self, spec: LocationSpec, environment: Environment) -> dict[str, str]:
        """All environment variables of a runner of such a location."""
        return variables.of_runner(
            variables.inherited(os.environ, development=self._development),
            spec.variables,
            environment.executable,
            environment.variables,
            variables.bytecode(
                writable=environment.origin != "existing",
                has_bytecode=environment.has_bytecode,
                cache=self._bytecode_cache / environment.key,
            ),
        )

    def command_variables(self, spec: LocationSpec, environment: Environment) -> dict[str, str]:
        """Those of a command that runs as a runner would, with `codeloc` importable."""
        return variables.with_codeloc(self.variables(spec, environment), self._children)
