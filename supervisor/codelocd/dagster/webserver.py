"""Dagster's webserver and daemon, from an environment of their own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs import Environment, Lease, Request, Store, choose
from codelocd.core.restarts import Pauses
from codelocd.dagster.instance import VARIABLE, Release
from codelocd.model import DagsterSettings, Output
from codelocd.process.child import Child, Children
from codelocd.runners import variables
from codelocd.runners.environments import Builder
from codelocd.storage.logs import Logs

WEBSERVER, DAEMON = "dagster-webserver", "dagster-daemon"
NOWHERE = 0
"""The port of a page whose own is not known: a request there gets no answer."""
LOOK_AGAIN = 0.1


@dataclass(frozen=True, slots=True)
class DaemonParts:
    """What of the daemon's the page and the code servers need. `development`: as for the runners.

    `codeloc`: the folder that makes `codeloc` importable in any Python.
    """

    children: Children
    builder: Builder
    store: Store
    logs: Logs
    development: bool
    codeloc: Path


class UserInterface:
    """Both processes; `home` is their DAGSTER_HOME, `workspace` the file they read."""

    def __init__(
        self, means: DaemonParts, settings: DagsterSettings, home: Path, workspace: Path
    ) -> None:
        self._means = means
        self._settings = settings
        self._home = home
        self._workspace = workspace
        self._lease: Lease | None = None
        self._processes: dict[str, HelperProcess] = {}
        self._opening: asyncio.Task[None] | None = None
        self._port = settings.port or (free_port(settings.host) if settings.page else NOWHERE)
        self.client = WebserverClient(settings.host, self._port)

    @property
    def url(self) -> str | None:
        """The address of the page. None where another program runs it and the config does not say
        where."""
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
        """Start both once the port is free: before that, another program's page would answer at the
        address."""
        await self._port_is_free()
        address = ["--host", self._settings.host, "--port", str(self._port)]
        self._processes[WEBSERVER] = self._helper(environment, WEBSERVER, address)
        while not await self.client.answers():  # noqa: ASYNC110  it tells no process that it listens
            await asyncio.sleep(LOOK_AGAIN)
        self.say(f"Dagster's UI: {self.url}")

    async def _port_is_free(self) -> None:
        host = self._settings.host
        if is_taken(host, self._port):
            self.say(
                f"Dagster's UI waits: port {self._port} of {host} is in use; end what listens"
                " there, or choose another port with -p or in [dagster] port"
            )
        while is_taken(host, self._port):  # noqa: ASYNC110  no event tells when it is free
            await asyncio.sleep(LOOK_AGAIN)

    async def locations_changed(self) -> None:
        """Both read the workspace again; the daemon only does so when it starts."""
        await self.client.reload_workspace()
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


TIMEOUT = 20.0

_RELOAD = "mutation { reloadWorkspace { __typename } }"
_STATUS = """query($ids: [String]!) {
  runsOrError(filter: {runIds: $ids, statuses: [CANCELING]}) {
    ... on Runs { results { runId } } } }"""


class WebserverClient:
    """Asks the webserver at an address; one that does not answer knows nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port

    async def reload_workspace(self) -> bool:
        """Make it read workspace.yaml again; False where it does not answer."""
        return await self._ask(_RELOAD, {}) is not None

    async def canceling(self, runs: list[str]) -> list[str]:
        """The runs among these that Dagster was asked to terminate."""
        data = await self._ask(_STATUS, {"ids": runs}) or {}
        return [run["runId"] for run in data.get("runsOrError", {}).get("results", ())]

    async def answers(self) -> bool:
        return await self._ask("{ version }", {}) is not None

    async def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        return await asyncio.to_thread(self._post, query, variables)

    def _post(self, query: str, variables: Mapping[str, Any]) -> Any:
        body = json.dumps({"query": query, "variables": variables})
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT)
        try:
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read()).get("data")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()


FIRST = 3000
"""Dagster's own; where it is taken, the next one that is free."""
COUNT = 100


def free_port(host: str) -> int:
    """The first one, if all are taken."""
    ports = range(FIRST, FIRST + COUNT)
    return next((port for port in ports if not is_taken(host, port)), FIRST)


def is_taken(host: str, port: int) -> bool:
    """Whether a process listens there. False for a host that is none of this machine's: the
    webserver will say so better.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as failure:
        return failure.errno == errno.EADDRINUSE
    return False


STOP_SECONDS = 5.0


class HelperProcess:
    """Runs until `close`; `restart` ends it in order and starts another."""

    def __init__(
        self,
        children: Children,
        command: Sequence[str],
        variables: Mapping[str, str],
        directory: Path,
        output: Output,
    ) -> None:
        self._children = children
        self._command = command
        self._variables = variables
        self._directory = directory
        self._output = output
        self._child: Child | None = None
        self._asked = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def restart(self) -> None:
        self._asked.set()
        self._terminate()

    async def close(self) -> None:
        self._task.cancel()
        if self._child is not None and not self._child.exited.done():
            await self._child.end(STOP_SECONDS)

    def kill(self) -> None:
        self._task.cancel()
        if self._child is not None:
            self._child.kill()

    async def _run(self) -> None:
        loop, pauses = asyncio.get_running_loop(), Pauses()
        while True:
            began = loop.time()
            self._asked.clear()
            with contextlib.suppress(OSError):  # short of descriptors or processes: after a pause
                self._child = self._start()
                await asyncio.shield(self._child.exited)
            if self._asked.is_set():
                pauses.forget()
            else:
                await asyncio.sleep(pauses.after(loop.time() - began))

    def _start(self) -> Child:
        return self._children.start(
            self._command,
            variables=self._variables,
            directory=self._directory,
            output=self._output,
        )

    def _terminate(self) -> None:
        """To the process itself: it ends what it has started in order."""
        if self._child is not None and not self._child.exited.done():
            os.kill(self._child.pid, signal.SIGTERM)
