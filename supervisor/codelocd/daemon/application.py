"""Puts a daemon together: all of its parts but the control socket."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codeloc_envs import Environment, Store
from codeloc_envs.store.collect import remove_half_written
from codelocd.core.config_diff import ConfigDiff, plan
from codelocd.daemon.adoption import (
    Adoption,
    Adopts,
    HeldRunners,
    inherited,
    keeping,
    outputs,
)
from codelocd.daemon.executor import Executor
from codelocd.daemon.health import Heartbeat
from codelocd.daemon.in_pieces import ChangesInPieces
from codelocd.daemon.limits import LocationLimits
from codelocd.daemon.locations import Locations
from codelocd.daemon.loop import Daemon
from codelocd.daemon.notifications import Notifications
from codelocd.daemon.page import start_page
from codelocd.daemon.placed import placed_locations, warnings
from codelocd.daemon.preparation import Preparation
from codelocd.daemon.publisher import make_publisher
from codelocd.daemon.releases import FOLDER, Releases
from codelocd.daemon.reload_loops import LoopGuard
from codelocd.daemon.runner_specs import runner_specs
from codelocd.daemon.runs.base import RunBase
from codelocd.daemon.runs.opening import Runs
from codelocd.daemon.server_limits import ServerLimits
from codelocd.daemon.start_limits import StartLimits
from codelocd.daemon.starts import RunnerStarts
from codelocd.daemon.status import Warnings
from codelocd.daemon.subscriptions import Hub
from codelocd.daemon.usage import UsageReports
from codelocd.daemon.warm import warm_launcher
from codelocd.dagster.instance import home_of
from codelocd.dagster.integration import DagsterServing
from codelocd.dagster.webserver import DaemonParts
from codelocd.model import Config
from codelocd.process import tasks
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.process.helper import HelperProcess
from codelocd.runners.bundle import Bundle
from codelocd.runners.environments import Builder, EnvironmentPruner
from codelocd.runners.stacks import of_runner
from codelocd.storage.desired_state import DesiredState
from codelocd.storage.log_lines import Block
from codelocd.storage.logs import Logs
from codelocd.storage.paths import DaemonPaths
from codelocd.storage.remains import ENTRIES, LOGS
from codelocd.storage.snapshots import Documents, stopped
from codelocd.watch.watch import SourceWatch

if TYPE_CHECKING:
    from codelocd.documents.answers import ProcessStacks


class Application:
    """The parts of a daemon, each made of those before it; `close` leaves no process behind.

    Lives on the running loop, in the main thread. `report` takes a line for the daemon's log;
    `development`: what user code is told about where it runs.
    """

    _page: HelperProcess | None = None

    def __init__(
        self,
        config: Config,
        paths: DaemonPaths,
        report: Callable[[str], None],
        *,
        development: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.limits = LocationLimits(tasks.delegated())  # before there is any other process
        self.instance = secrets.token_hex(8)
        self.hub = hub = Hub(self.instance)
        self.logs = Logs(paths.state_dir / LOGS, follow=lambda block: _printed(hub, block))
        self.store = Store(paths.store)
        self.locations = Locations()
        self._desired, self.warnings = _wishes(paths)
        entries = Documents(paths.state_dir / ENTRIES)
        self.publisher = make_publisher(hub, paths.state_dir)
        self.run_base = RunBase(hub, paths, config, self.publisher)
        self._notify = config.notify
        self.guardian = Guardian(keeping(config, paths, development=development))
        self._outputs = outputs(self.logs, self.run_base.outputs.logs)
        self._inheritance = inherited(self.guardian, self._outputs)
        self._children = Children(loop, self.guardian)
        self.run_base.inherit(self._inheritance, self._children)
        builder = Builder(self._children, paths.store)
        self._bundle = Bundle(paths.store)
        self.warm = warm_launcher(config, paths, self._children, self._bundle, self._inheritance)
        bundle = self._bundle.path
        means = DaemonParts(self._children, builder, self.store, self.logs, development, bundle)
        self.dagster = self._dagster(config, paths, means) if config.dagster.serve else None
        self.releases = Releases(paths.state_dir / FOLDER, report)
        self.runner_specs = runner_specs(means, paths, self.releases)
        self.placed = placed_locations(
            config, paths, means, self.runner_specs, self.locations, self.publisher, entries
        )
        self.warnings.of_engine = partial(warnings, self.placed)
        self.changes = ChangesInPieces()
        self.watch = SourceWatch(self.locations.changed, report, loop)
        self.daemon = self._daemon(builder, paths.runtime_dir, report)
        self.run_base.follow(self.daemon, self.warm, self.runner_specs, means, self.limits)
        self.usage = UsageReports(self.hub, self.daemon.usage, self.locations.runners)
        told = hub, self.publisher, self.locations, report
        self.runs = Runs(self.run_base, *told, self.warnings, development=development)
        self._chores = self._begin_chores(config, paths, report)

    def _dagster(self, config: Config, paths: DaemonPaths, means: DaemonParts) -> DagsterServing:
        home = home_of(config, paths.state_dir)
        native, limits = self.locations.native, ServerLimits(self.limits, self.locations)
        return DagsterServing(
            means, config.dagster, paths, home, self.warm, native, self._inheritance, limits
        )

    def _daemon(self, builder: Builder, notes: Path, report: Callable[[str], None]) -> Daemon:
        guard = LoopGuard(self.locations, self.watch, self.publisher, notes, report)
        self.warnings.of_locations = guard.lines
        limits = StartLimits(os.cpu_count() or 1)
        launcher = self.dagster.launcher() if self.dagster is not None else self.warm
        starts = RunnerStarts(
            launcher,
            self.runner_specs,
            self.store,
            self.watch,
            limits,
            self.limits,
            self.publisher,
            self.placed,
        )
        self._adoption = self._adopting(launcher, starts)
        return Daemon(
            self.locations,
            Executor(
                Preparation(self.store, builder, self.watch, limits, self.publisher, self.placed),
                starts,
                self.watch,
            ),
            self.publisher,
            self.watch,
            self._desired,
            HeldRunners(self._children),
            guard,
            self._adoption.adopt,
        )

    def _adopting(self, launcher: Adopts, starts: RunnerStarts) -> Adoption:
        return Adoption(
            self._inheritance,
            self._children,
            launcher,
            self.runner_specs,
            starts,
            self.store,
            self.watch,
            self.publisher,
            self._outputs,
            self.placed,
        )

    async def read_left(self) -> None:
        """Called before there are locations: read what takes long of what is left to adopt."""
        await self._adoption.read()

    async def settle_inheritance(self) -> None:
        """Called once the locations are known: end what none of them took, and make this daemon's
        holder the one that the next daemon finds."""
        await self.runs.begin()
        if self.dagster is not None:
            wanted = {name for name, each in self.locations.items() if each.state.wanted}
            self.dagster.settle(wanted)
        self._adoption.tell_rest()
        self._inheritance.taking()
        self.guardian.take_charge()
        self._inheritance.taken()
        await self._adoption.settle()
        if self.guardian.keeping is not None:
            await self._children.end_earlier()

    def _begin_chores(
        self, config: Config, paths: DaemonPaths, report: Callable[[str], None]
    ) -> list[asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        heartbeat = Heartbeat(
            self.locations.values,
            self.daemon.send,
            self.daemon.stirred,
            lambda silent: of_runner(silent.handle, silent.order.output, ask=False),
            beat=self.guardian.beat,
        )
        chores = [loop.create_task(heartbeat.run()), loop.create_task(self.usage.run())]
        if self.placed is not None:
            chores.append(loop.create_task(self.placed.watch_memory()))
        if config.daemon.prune:
            tidy = partial(self._tidy, paths.state_dir)
            upkeep = EnvironmentPruner(
                self._children, paths.store, self._environments, report, tidy=tidy
            )
            chores.append(loop.create_task(upkeep.run()))
        return chores

    def apply(self, config: Config, *, dry_run: bool = False, now: bool = False) -> ConfigDiff:
        """Make what runs match `config`; a long change goes on for a while, unless `now`."""
        self.changes.finish()
        running = {name: each.spec for name, each in self.locations.items() if not each.removed}
        wanted = map(self.releases.applied, config.locations)
        change = plan({**running, **self.locations.external}, wanted)
        if not dry_run:
            self.releases.are_configured(config.locations)
            self.warm.keep_for(config.daemon.warm_idle)
            self.runs.configure(config.runs, tick=config.tick)
            self.changes.begin(_steps(self, change, config), now=now)
        return change

    def notifications(self, report: Callable[[str], None]) -> Notifications:
        """`report` gets a line for each that did not go out."""
        tries = self.releases.tries
        return Notifications(self._notify, self._children, self.instance, report, tries)

    def start_page(self, command: list[str], report: Callable[[str], None]) -> None:
        """Serve codelocd's page; `report` gets the line with its link."""
        self._page = start_page(self._children, command, report)

    async def warm_stacks(self, location: str) -> ProcessStacks | None:
        """The stacks of the warm interpreter that the location's next runner would start from."""
        if (interpreter := self.warm.warm_interpreter(location)) is None:
            return None
        return (await interpreter.stacks()).as_json(interpreter.pid)

    def _environments(self) -> Iterator[Environment]:
        yield from (environment for _, environment in self.locations.environments())
        yield from self.run_base.environments()

    def _tidy(self, state: Path) -> None:
        """Remove what is old in the state folder, which is this daemon's alone."""
        self.warm.forget_unused()
        for folder in (state, state / "warm", state / "snapshots"):
            remove_half_written(folder)

    def longest_stop(self) -> float:
        """Seconds that `close` may take, if each process ends when it has to."""
        return self.locations.longest_stop() + self.runs.longest_end()

    async def close(self) -> None:
        """End all runs, stop every location, wait until all are gone, end what they left."""
        await self.runs.drain()
        self.changes.drop()
        for chore in self._chores:
            chore.cancel()
        self.watch.close()
        self._desired.close()
        self.daemon.shut_down()
        gone = [self.locations.settled()]
        if self.dagster is not None:
            gone.append(self.dagster.close())
        if self._page is not None:
            gone.append(self._page.close())
        await asyncio.gather(*gone)
        if self.placed is not None:
            await self.placed.engine.close(leave=False)
        self.warm.close()
        self.kill()
        await self._children.settled()
        await self.limits.settled()
        self.logs.close()
        self.run_base.close()
        self._children.close()
        self.guardian.close()
        self._bundle.close()
        self.publisher.close()

    async def hand_over(self) -> None:
        """Leave the runners that serve to the next daemon; where none can be left, end
        everything."""
        if self.guardian.keeping is None:
            await self.close()
            return
        await self.runs.hand_over()
        self.changes.drop()
        if self._page is not None:  # the next one takes its port
            await self._page.close()
        if self.placed is not None:
            await self.placed.engine.close(leave=True)
        for chore in self._chores:
            chore.cancel()
        self.warm.close()
        self.publisher.close()
        self.logs.close()
        self.run_base.close()
        self._children.restore_umask()

    def kill(self) -> None:
        """End every process at once."""
        self.runs.kill()
        for location in self.locations.values():
            for running in location.runners.values():
                running.handle.kill()
        for part in (self.placed, self.dagster, self._page, self.run_base):
            if part is not None:
                part.kill()


def _steps(
    application: Application, change: ConfigDiff, config: Config
) -> Iterator[Callable[[], object]]:
    daemon = application.daemon
    yield from (partial(daemon.remove, name) for name in change.removed)
    yield from (partial(application.warm.forget, name) for name in change.removed)
    yield from (partial(daemon.add, spec) for spec in change.added)
    yield from (partial(daemon.change, spec, reload=True) for spec in change.reloaded)
    yield from (partial(daemon.change, spec, reload=False) for spec in change.adjusted)
    if application.dagster is not None:
        yield partial(application.dagster.locations_are, config.locations)


def _wishes(paths: DaemonPaths) -> tuple[DesiredState, Warnings]:
    entries = Documents(paths.state_dir / ENTRIES)
    desired = DesiredState(paths.state_dir / "wanted.json", lambda: stopped(entries.all()))
    return desired, Warnings(paths, desired)


def _printed(hub: Hub, block: Block) -> None:
    hub.publish_block("logs", len(block.texts), block.document, block.location)
