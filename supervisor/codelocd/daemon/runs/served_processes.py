"""Prepares the processes that execute what is served of a location: attempts, and evaluations."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from codeloc_envs import EnvironmentProblem, Store
from codeloc_envs.credentials import NoCredential
from codelocd.daemon.location import Leases
from codelocd.daemon.runner_specs import RunnerSpecs, read_secrets
from codelocd.daemon.runs.served import LocationCode
from codelocd.dagster.instance import VARIABLE as HOME
from codelocd.model import Output
from codelocd.releases.release_folder import DamagedRelease
from codelocd.runners.api import RunnerSpec
from codelocd.runs.dagster import DAGSTER


@dataclass(frozen=True, slots=True)
class ServedProcesses:
    """In the environment, as the user and with the variables of a runner that would be started
    now. `dagster_home`: makes the folder of Dagster's instance, for those of Dagster's."""

    store: Store
    specs: RunnerSpecs
    dagster_home: Callable[[], Path]

    def prepared(self, served: LocationCode, output: Output) -> tuple[RunnerSpec, Leases]:
        """The caller closes the leases when the process has ended. Blocks. Raises OSError."""
        leases = self._leases(served)
        try:
            return self._spec(served, output, leases), leases
        except BaseException:
            leases.close()
            raise

    def _leases(self, served: LocationCode) -> Leases:
        try:
            lease = self.store.lease(served.place)
        except EnvironmentProblem as problem:
            raise OSError(problem.shortage or 0, problem.summary) from problem
        try:
            self.specs.open_up(served.spec, served.place)
            release = self.specs.lease_of_release(served.spec.name, served.order.release)
            return Leases(lease, release)
        except DamagedRelease as damage:
            lease.close()
            raise OSError(f"the release is damaged: {damage}") from damage
        except BaseException:
            lease.close()
            raise

    def _spec(self, served: LocationCode, output: Output, leases: Leases) -> RunnerSpec:
        try:
            secrets = read_secrets(served.spec, os.environ)
        except NoCredential as missing:
            raise OSError(str(missing)) from missing
        variables = self.specs.variables(served.spec, served.place, secrets)
        if served.loader == DAGSTER:
            variables = {HOME: str(self.dagster_home()), **variables}
        return replace(
            served.order,
            variables=variables,
            own=frozenset({*served.spec.variables, *secrets}),
            output=output,
            held=leases.filenos(),
            beside=False,
            written=None,
            suspects=(),
            lock=None,
        )
