"""The stock webserver and daemon of Dagster, from an environment of their own."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs import Environment, Lease, Request, Store, choose
from codelocd import variables
from codelocd.builder import Builder
from codelocd.dagster.graphql import Page
from codelocd.dagster.helper_process import HelperProcess
from codelocd.dagster.home import VARIABLE
from codelocd.dagster.port import free_port, is_taken
from codelocd.dagster.release import Release
from codelocd.logs import Logs
from codelocd.model import DagsterSettings
from codelocd.process import Children

WEBSERVER, DAEMON = "dagster-webserver", "dagster-daemon"
NOWHERE = 0
"""The port of a page that nobody named: whoever asks there gets no answer."""
LOOK_AGAIN = 0.1


@dataclass(frozen=True, slots=True)
class Means:
    """What of the daemon's the page needs. `development`: as for the runners."""

    children: Children
    builder: Builder
    store: Store
    logs: Logs
    development: bool


class UserInterface:
    """Both processes; `home` is their DAGSTER_HOME, `workspace` the file they read."""

    def __init__(
        self, means: Means, settings: DagsterSettings, home: Path, workspace: Path
    ) -> None:
        self._means = means
        self._settings = settings
        self._home = home
        self._workspace = workspace
        self._lease: Lease | None = None
        self._processes: dict[str, HelperProcess] = {}
        self._opening: asyncio.Task[None] | None = None
        self._port = settings.port or (free_port(settings.host) if settings.page else NOWHERE)
        self.page = Page(settings.host, self._port)

    @property
    def url(self) -> str | None:
        """None where the page is somebody else's, who did not say where it listens."""
        return f"http://{self._settings.host}:{self._port}" if self._port != NOWHERE else None

    @property
    def pids(self) -> dict[str, int | None]:
        return {name: process.pid for name, process in self._processes.items()}

    async def start(self, newest: Release) -> None:
        """Build the environment if need be, start both; the page says itself when it is open.

        Raises EnvironmentProblem and OSError.
        """
        environment = await self._environment(newest)
        self._lease = self._means.store.lease(environment)
        self._processes[DAEMON] = self._helper(environment, DAEMON, ["run"])
        self._opening = asyncio.get_running_loop().create_task(self._open(environment))

    async def _open(self, environment: Environment) -> None:
        """What answers at a port that is taken is somebody else's page."""
        await self._port_is_free()
        address = ["--host", self._settings.host, "--port", str(self._port)]
        self._processes[WEBSERVER] = self._helper(environment, WEBSERVER, address)
        while not await self.page.answers():  # noqa: ASYNC110  it tells nobody that it listens
            await asyncio.sleep(LOOK_AGAIN)
        self.say(f"Dagster's UI: {self.url}")

    async def _port_is_free(self) -> None:
        host = self._settings.host
        if is_taken(host, self._port):
            self.say(
                f"Dagster's UI waits: port {self._port} of {host} is in use; end what listens"
                " there, or choose another port with -p or in [dagster] port"
            )
        while is_taken(host, self._port):  # noqa: ASYNC110  nobody tells when it is free
            await asyncio.sleep(LOOK_AGAIN)

    async def locations_changed(self) -> None:
        """Both read the workspace again; the daemon only does so when it starts."""
        await self.page.reload_workspace()
        if DAEMON in self._processes:
            self._processes[DAEMON].restart()

    async def close(self) -> None:
        self._give_up_opening()
        await asyncio.gather(*(process.close() for process in self._processes.values()))
        if self._lease is not None:
            self._lease.close()

    def kill(self) -> None:
        self._give_up_opening()
        for process in self._processes.values():
            process.kill()

    def _give_up_opening(self) -> None:
        if self._opening is not None:
            self._opening.cancel()

    async def _environment(self, newest: Release) -> Environment:
        request = self._settings.environment or _fitting(newest)
        choice = await asyncio.to_thread(choose, request, code=self._home)
        ready = await asyncio.to_thread(self._means.store.find, choice.specification)
        if ready is not None:
            return ready
        say = self.say
        return await self._means.builder.build(
            choice.specification, lambda progress: say(f"environment: {progress['message']}")
        )

    def say(self, text: str) -> None:
        """One line beside those of the webserver."""
        self._means.logs.output(WEBSERVER, None)("stdout", f"{text}\n".encode())

    def _helper(self, environment: Environment, name: str, arguments: list[str]) -> HelperProcess:
        executable = environment.executable
        command = [str(executable.with_name(name)), *arguments, "--workspace", str(self._workspace)]
        inherited = variables.inherited(os.environ, development=self._means.development)
        own = variables.of_runner(inherited, {}, executable, environment.variables, {})
        return HelperProcess(
            self._means.children,
            command,
            {**own, VARIABLE: str(self._home)},
            self._home,
            self._means.logs.output(name, None),
        )


def _fitting(newest: Release) -> Request:
    """The page of the newest location's release, or the last one published before it."""
    return Request(python=newest.python, packages=(f"{WEBSERVER}<={newest.version}",))
