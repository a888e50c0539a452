"""What every daemon has for runs before any is used: nothing of it is on disk, or costs time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from codelocd.daemon.runs.output import RunOutputs
from codelocd.dagster.instance import home_of
from codelocd.process.inheritance import RUN
from codelocd.storage.remains import LOGS, RUNS

if TYPE_CHECKING:
    from pathlib import Path

    from codeloc_envs import Environment
    from codelocd.daemon.limits import LocationLimits
    from codelocd.daemon.location import Location, Running
    from codelocd.daemon.loop import Daemon
    from codelocd.daemon.publisher import Publisher
    from codelocd.daemon.runner_specs import RunnerSpecs
    from codelocd.daemon.runs.evaluations import Evaluations
    from codelocd.daemon.runs.folders import AttemptFolders
    from codelocd.daemon.runs.left import LeftRuns
    from codelocd.daemon.runs.local_attempts import AttemptParts, LocalAttempts
    from codelocd.daemon.runs.served import ServedCodes
    from codelocd.daemon.runs.served_processes import ServedProcesses
    from codelocd.daemon.subscriptions import Hub
    from codelocd.dagster.webserver import DaemonParts
    from codelocd.model import Config
    from codelocd.process.accounts import Account
    from codelocd.process.child import Children
    from codelocd.process.inheritance import Inheritance
    from codelocd.runners.api import RunnerSpec
    from codelocd.runners.warm.launcher import WarmLauncher
    from codelocd.storage.paths import DaemonPaths


class RunBase:
    """Its parts are imported and made at their first use: few daemons run anything. `root`: the
    folder of all that is kept of runs, but for values."""

    _daemon: Daemon
    _warm: WarmLauncher
    _specs: RunnerSpecs
    _means: DaemonParts
    _limits: LocationLimits
    _inheritance: Inheritance
    _children: Children

    def __init__(self, hub: Hub, paths: DaemonPaths, config: Config, publisher: Publisher) -> None:
        self._dagster_home = partial(home_of, config, paths.state_dir)
        self._paths = paths
        self._publisher = publisher
        self.root = paths.state_dir / RUNS
        self.outputs = RunOutputs(hub, self.root / LOGS)
        self._evaluations: Evaluations | None = None

    def inherit(self, inheritance: Inheritance, children: Children) -> None:
        """Take what an earlier daemon left of attempts, at once, so that their ends are noticed."""
        self._inheritance, self._children = inheritance, children
        if any(left.kind == RUN for left in inheritance.left):
            _ = self.left

    def follow(
        self,
        daemon: Daemon,
        warm: WarmLauncher,
        specs: RunnerSpecs,
        means: DaemonParts,
        limits: LocationLimits,
    ) -> None:
        """What attempts need, and what tells which code is served."""
        self._daemon, self._warm, self._specs = daemon, warm, specs
        self._means, self._limits = means, limits
        specs.texts_of = self._texts_of
        daemon.took_over, daemon.withdrew = self._took_over, self._withdrew

    # --- parts ----------------------------------------------------------------------------------

    @cached_property
    def folders(self) -> AttemptFolders:
        from codelocd.daemon.runs.folders import AttemptFolders

        return AttemptFolders(self._paths)

    @cached_property
    def left(self) -> LeftRuns:
        from codelocd.daemon.runs.left import LeftRuns

        return LeftRuns(self._inheritance, self._children, self.outputs)

    @cached_property
    def codes(self) -> ServedCodes:
        from codelocd.daemon.runs.served import ServedCodes

        codes = ServedCodes(self._daemon.locations, self.folders, self._listed, self._remade)
        codes.found_dagsters = self._prepare_for_dagster
        return codes

    @cached_property
    def processes(self) -> ServedProcesses:
        from codelocd.daemon.runs.served_processes import ServedProcesses

        return ServedProcesses(self._means.store, self._specs, self._dagster_home)

    @cached_property
    def parts(self) -> AttemptParts:
        from codelocd.daemon.runs.local_attempts import AttemptParts

        return AttemptParts(
            self._warm,
            self._means.children,
            self.processes,
            self._limits,
            self._daemon.locations,
            self.outputs,
            self.left,
        )

    @cached_property
    def attempts(self) -> LocalAttempts:
        from codelocd.daemon.runs.dagster_reports import DagsterReports
        from codelocd.daemon.runs.local_attempts import LocalAttempts

        attempts = LocalAttempts(self.parts, self.folders, self.codes)
        attempts.reports = DagsterReports(self.parts, self.folders, self.codes)
        return attempts

    def evaluations(self) -> Evaluations:
        """What asks schedules and sensors: one for a daemon."""
        if self._evaluations is None:
            from codelocd.daemon.runs.evaluations import Evaluations  # few daemons have any

            self._evaluations = Evaluations(self.parts, self.folders, self.codes)
        return self._evaluations

    def _prepare_for_dagster(self) -> None:
        from codelocd.daemon.runs.dagster_reports import BESIDE

        self._warm.preload_beside(BESIDE)

    def _remade(self, location: Location, environment: Environment) -> RunnerSpec:
        """The order for what a location served under an earlier daemon. Blocks. Raises OSError."""
        from codeloc_envs import EnvironmentProblem
        from codelocd.daemon.location import Leases

        try:
            lease = Leases(self._means.store.lease(environment))
        except EnvironmentProblem as problem:
            raise OSError(problem.summary) from problem
        with closing(lease):
            return self._specs.order(location, environment, lease, {})

    def _listed(self, name: str) -> Collection[Mapping[str, Any]]:
        return self._publisher.registry.entry(name).listed.values()

    # --- what every daemon asks -----------------------------------------------------------------

    def _has(self, part: str) -> bool:
        """Whether it was used."""
        return part in self.__dict__

    def _texts_of(self, who: Account | None) -> Path | None:
        return self.codes.folder_for(who) if self._has("codes") else None

    def _took_over(self, location: Location, running: Running) -> None:
        if self._has("codes"):
            self.codes.took_over(location, running)

    def _withdrew(self, location: Location) -> None:
        if self._has("codes"):
            self.codes.withdrew(location)

    def end_waiting(self) -> None:
        """Of processes that wait for a run: none starts any more."""
        if self._has("attempts"):
            self._warm.expect_no_runs()

    def environments(self) -> Iterable[Environment]:
        """Those that runs may need: they count as used."""
        return self.codes.environments() if self._has("codes") else ()

    def end_rest(self) -> None:
        """End what an earlier daemon left, and no keeper has adopted."""
        if self._has("left"):
            self.left.end_rest()

    async def drain_rest(self, seconds: float) -> None:
        """The same in order, after these seconds: their book could not be opened."""
        if self._has("left"):
            await self.left.drain(seconds)

    def longest_end(self) -> float | None:
        """Seconds that such ones may take to stop, once they are asked; None: there is none."""
        return self.left.longest_end() if self._has("left") else None

    def kill(self) -> None:
        """End all attempts at once."""
        self.end_rest()
        if self._has("attempts"):
            self.attempts.kill()

    def close(self) -> None:
        """Returns when the logs are as they stay."""
        if self._has("codes"):
            self.codes.close()
        self.outputs.logs.close()
