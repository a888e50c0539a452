"""What every daemon has for runs before any is used: nothing of it is on disk, or costs time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from codelocd.daemon.runs.dagster_reports import DagsterReports
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.daemon.runs.left import LeftRuns
from codelocd.daemon.runs.local_attempts import AttemptParts, LocalAttempts
from codelocd.daemon.runs.output import RunOutputs
from codelocd.daemon.runs.served import ServedCodes
from codelocd.daemon.runs.served_processes import ServedProcesses
from codelocd.daemon.subscriptions import Hub
from codelocd.dagster.instance import home_of
from codelocd.model import Config
from codelocd.storage.paths import DaemonPaths
from codelocd.storage.remains import LOGS

if TYPE_CHECKING:
    from codelocd.daemon.limits import LocationLimits
    from codelocd.daemon.locations import Locations
    from codelocd.daemon.loop import Daemon
    from codelocd.daemon.publisher import Publisher
    from codelocd.daemon.runner_specs import RunnerSpecs
    from codelocd.daemon.runs.evaluations import Evaluations
    from codelocd.dagster.webserver import DaemonParts
    from codelocd.process.child import Children
    from codelocd.process.inheritance import Inheritance
    from codelocd.runners.warm.launcher import WarmLauncher


class RunBase:
    """Made in the order of its methods, as the daemon's other parts come to be."""

    left: LeftRuns
    codes: ServedCodes
    processes: ServedProcesses
    attempts: LocalAttempts

    def __init__(self, hub: Hub, paths: DaemonPaths, config: Config, publisher: Publisher) -> None:
        self._dagster_home = partial(home_of, config, paths.state_dir)
        self.folders = AttemptFolders(paths)
        self._publisher = publisher
        self.outputs = RunOutputs(hub, self.folders.root / LOGS)
        self._evaluations: Evaluations | None = None

    def inherit(self, inheritance: Inheritance, children: Children) -> None:
        """Take what an earlier daemon left of attempts."""
        self.left = LeftRuns(inheritance, children, self.outputs)

    def follow(
        self,
        daemon: Daemon,
        warm: WarmLauncher,
        specs: RunnerSpecs,
        means: DaemonParts,
        limits: LocationLimits,
    ) -> None:
        """Be told of what is served, and have what attempts need."""
        locations: Locations = daemon.locations
        self.codes = ServedCodes(locations, self.folders, self._listed)
        specs.texts_of = self.codes.folder_for
        daemon.took_over = self.codes.took_over
        daemon.withdrew = self.codes.withdrew
        self.processes = ServedProcesses(means.store, specs, self._dagster_home)
        parts = AttemptParts(
            warm,
            means.children,
            self.processes,
            limits,
            locations,
            self.outputs,
            self.left,
        )
        self._parts = parts
        self.attempts = LocalAttempts(parts, self.folders, self.codes)
        self.attempts.tell_dagster = DagsterReports(parts, self.folders, self.codes).tell

    def evaluations(self) -> Evaluations:
        """What asks schedules and sensors: one for a daemon."""
        if self._evaluations is None:
            from codelocd.daemon.runs.evaluations import Evaluations  # few daemons have any

            self._evaluations = Evaluations(self._parts, self.folders, self.codes)
        return self._evaluations

    def _listed(self, name: str) -> Collection[Mapping[str, Any]]:
        return self._publisher.registry.entry(name).listed.values()

    def close(self) -> None:
        """Returns when the logs are as they stay."""
        self.codes.close()
        self.outputs.logs.close()
