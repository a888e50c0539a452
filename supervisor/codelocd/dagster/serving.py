"""All of it: code servers led to by links, and the page that shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from codeloc_envs import EnvironmentProblem
from codelocd.dagster import workspace
from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.drain import Drain
from codelocd.dagster.launcher import DagsterLauncher
from codelocd.dagster.release import release_in
from codelocd.dagster.sockets import Sockets
from codelocd.dagster.spares import Spares
from codelocd.dagster.ui import Means, UserInterface
from codelocd.launchers import Launcher, RunnerSpec
from codelocd.model import DagsterSettings, GrpcServer, LocationSpec
from codelocd.paths import DaemonPaths

QUIET = 0.3
"""Seconds in which further changes of the list of locations are taken together."""
STOP_SECONDS = 5.0


class DagsterServing:
    """Of one daemon; `settled()` returns when every location has had its first outcome."""

    def __init__(
        self,
        means: Means,
        settings: DagsterSettings,
        paths: DaemonPaths,
        home: Path,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._settled = settled
        self._home = home
        self._workspace = paths.state_dir / "workspace.yaml"
        self._sockets = Sockets(paths.runtime_dir)
        self._spares = Spares(means.children)
        self._ui = UserInterface(means, settings, self._home, self._workspace)
        self._drain = Drain(settings.drain_timeout, self._ui.page.canceling)
        self._current: dict[str, CodeServer] = {}
        self._served: dict[str, Path] = {}
        self._external: list[LocationSpec] = []
        self._news = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def launcher(self, runners: Launcher) -> DagsterLauncher:
        return DagsterLauncher(runners, self._start, self._lead, self._release)

    def locations_are(self, specs: Iterable[LocationSpec]) -> None:
        """The config as it is now: what is no longer in it leaves Dagster too."""
        known = {spec.name: spec for spec in specs}
        self._external = [s for s in known.values() if isinstance(s.target, GrpcServer)]
        for name in [name for name in self._served if name not in known]:
            del self._served[name]
            self._sockets.forget(name)
            self._spares.forget(name)
        self._news.set()

    def about(self) -> dict[str, Any]:
        """For `status`: where the page is, and who serves what."""
        servers = {name: server.pid for name, server in self._current.items()}
        return {
            "url": self._ui.url,
            "home": str(self._home),
            "workspace": str(self._workspace),
            "pids": self._ui.pids,
            "servers": servers,
        }

    async def close(self) -> None:
        self._task.cancel()
        self._spares.close()
        for server in self._current.values():
            self._drain.take(server)
        await asyncio.gather(self._ui.close(), self._drain.close(STOP_SECONDS))

    def kill(self) -> None:
        self._spares.close()
        self._ui.kill()
        for server in self._current.values():
            server.kill()

    # --- code servers --------------------------------------------------------------------------

    def _start(self, spec: RunnerSpec) -> CodeServer:
        home = {"DAGSTER_HOME": str(self._home)}
        return CodeServer(self._spares, spec, self._sockets.new(), home)

    def _lead(self, spec: RunnerSpec, server: CodeServer) -> None:
        """Dagster is led to `server`; the one before ends when its runs have."""
        name = spec.location
        self._sockets.lead(name, server.path)
        former = self._current.get(name)
        self._current[name] = server
        if former is not None and former is not server and not former.exited.done():
            self._drain.take(former)
        if self._served.get(name) != spec.executable:
            self._served[name] = spec.executable
            self._news.set()

    def _release(self, spec: RunnerSpec, server: CodeServer) -> None:
        if self._current.get(spec.location) is server:
            del self._current[spec.location]
            self._drain.take(server)

    # --- the page ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._served:
            await self._next_news()
        await self._settled()
        while not await self._begin():
            await self._next_news()
        while True:
            await self._next_news()
            if workspace.write(self._workspace, self._text()):
                await self._ui.locations_changed()

    async def _next_news(self) -> None:
        await self._news.wait()
        await asyncio.sleep(QUIET)
        self._news.clear()

    async def _begin(self) -> bool:
        workspace.write(self._workspace, self._text())
        if not self._settings.page:
            self._ui.say(f"Dagster's code servers: {self._workspace}")
            return True
        releases = filter(None, map(release_in, self._served.values()))
        try:
            await self._ui.start(max(releases))
        except (EnvironmentProblem, OSError) as failure:
            self._ui.say(f"Dagster's page cannot be started: {failure}")
            return False
        self._ui.say(f"Dagster's page: {self._ui.url}")
        return True

    def _text(self) -> str:
        links = {name: self._sockets.link(name) for name in self._served}
        return workspace.text(links, self._external)
