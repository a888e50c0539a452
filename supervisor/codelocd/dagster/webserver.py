"""Dagster's webserver and daemon, from an environment of their own."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import http.client
import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs import Environment, EnvironmentProblem, Lease, Request, Store, choose
from codelocd.dagster.instance import VARIABLE, Release, release_in
from codelocd.dagster.warm_launch import WarmLaunch, suit_release, what_to_write
from codelocd.model import DagsterSettings
from codelocd.process.child import Child, Children
from codelocd.process.helper import HelperProcess
from codelocd.process.inheritance import InheritedProcess
from codelocd.runners import variables
from codelocd.runners.bundle import CHILDREN
from codelocd.runners.environments import Builder
from codelocd.storage.logs import Logs

WEBSERVER, DAEMON = "dagster-webserver", "dagster-daemon"
NOWHERE = 0
"""The port of a page whose own is not known: a request there gets no answer."""
LOOK_AGAIN = 0.1
HELPER = "helper"
"""The kind of record by which the next daemon goes on with one of the two."""


@dataclass(frozen=True, slots=True)
class DaemonParts:
    """What of the daemon's the page and the code servers need. `development`: as for the runners.

    `bundle`: the folder that runners are run from; `codeloc`: the one in it that makes `codeloc`
    importable in any Python.
    """

    children: Children
    builder: Builder
    store: Store
    logs: Logs
    development: bool
    bundle: Path

    @property
    def codeloc(self) -> Path:
        return self.bundle / CHILDREN


class UserInterface:
    """Both processes; `home` is their DAGSTER_HOME, `workspace` the file they read. `launch`: how
    they have codelocd carry out the runs that they launch; None: Dagster does that."""

    def __init__(
        self,
        means: DaemonParts,
        settings: DagsterSettings,
        home: Path,
        workspace: Path,
        launch: WarmLaunch | None = None,
    ) -> None:
        self._launch = launch
        self._means = means
        self._settings = settings
        self._home = home
        self._workspace = workspace
        self._environment: Environment | None = None
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

    def go_on(self, left: Iterable[InheritedProcess]) -> None:
        """With those that an earlier daemon has left, unless they are described otherwise by now:
        then they end."""
        for each in left:
            if not self._goes_on(each):
                each.end()

    def _goes_on(self, left: InheritedProcess) -> bool:
        record, name = left.record, str(left.record["location"])
        environment = Environment.from_json(record["environment"])
        if record["settings"] != self._fingerprint:
            return False
        try:
            self._use(environment)
            output = self._means.logs.output(name, None)
            left.tell(output)
            child = left.child(self._means.children, output)
        except (EnvironmentProblem, OSError):
            return False
        self._port = record["port"]
        self.client = WebserverClient(self._settings.host, self._port)
        self._processes[name] = self._helper(name, child)
        return True

    @property
    def _fingerprint(self) -> str:
        """Of what both are made by."""
        its = self._settings
        parts = (its.host, its.port, its.environment, self._home, self._workspace)
        of = repr(parts if self._launch is None else (*parts, self._launch))
        return hashlib.blake2b(of.encode(), digest_size=16).hexdigest()

    async def start(self, newest: Release) -> None:
        """Build the environment if need be, start those of the two that do not run; the page says
        itself when it is open.

        Raises EnvironmentProblem and OSError.
        """
        if self._environment is None:
            self._use(await self._built(newest))
        if self._launch is not None:
            what = await asyncio.to_thread(self._launched_soon, newest)
            if what is not None:
                self.say(what)
        if DAEMON not in self._processes:
            self._processes[DAEMON] = self._helper(DAEMON)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    def _launched_soon(self, newest: Release) -> str | None:
        """What the user has to write for that; None: nothing. Raises OSError."""
        environment = self._environment
        own = None if environment is None else release_in(environment.executable)
        release = (own or newest).version
        suit_release(self._home, release)
        return what_to_write(self._home, release)

    def _use(self, environment: Environment) -> None:
        """Raises EnvironmentProblem and OSError."""
        if self._lease is None:
            self._lease, self._environment = self._means.store.lease(environment), environment

    async def _open(self) -> None:
        """Start the webserver once the port is free: before that, another program's page would
        answer at the address."""
        if WEBSERVER not in self._processes:
            await self._port_is_free()
            self._processes[WEBSERVER] = self._helper(WEBSERVER)
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

    async def _built(self, newest: Release) -> Environment:
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

    def _helper(self, name: str, adopted: Child | None = None) -> HelperProcess:
        environment, lease = self._environment, self._lease
        assert environment is not None
        assert lease is not None
        executable = environment.executable
        address = ["--host", self._settings.host, "--port", str(self._port)]
        arguments = address if name == WEBSERVER else ["run"]
        command = [str(executable.with_name(name)), *arguments, "--workspace", str(self._workspace)]
        inherited = variables.inherited(os.environ, development=self._means.development)
        own = variables.of_runner(inherited, {}, executable, environment.variables, {})
        launch = {} if self._launch is None else self._launch.variables()
        return HelperProcess(
            self._means.children,
            command,
            {**own, **launch, VARIABLE: str(self._home)},
            self._home,
            self._means.logs.output(name, None),
            (lease.fileno(),),
            lambda child: self._hold(name, environment, child),
            adopted,
        )

    def _hold(self, name: str, environment: Environment, child: Child) -> None:
        """It outlives the daemon from now on."""
        record = {
            "kind": HELPER,
            "location": name,
            "generation": None,
            "port": self._port,
            "environment": environment.to_json(),
            "settings": self._fingerprint,
        }
        self._means.children.hold(child.pid, record)


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
