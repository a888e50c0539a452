"""Connects the parts of the Dagster integration: code servers, their links, and the page that shows
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from codeloc_envs import EnvironmentProblem
from codeloc_envs.problem import shortage
from codelocd.dagster import workspace
from codelocd.dagster.code_server import (
    LEAVING,
    SERVER,
    CodeServer,
    Drain,
    Hold,
    Kind,
    ServerOutput,
)
from codelocd.dagster.instance import Instance, newest_of
from codelocd.dagster.launcher import DagsterLauncher
from codelocd.dagster.supervision import HoldsToLimits, ProgramLauncher, Servers
from codelocd.dagster.warm_launch import WarmLaunch
from codelocd.dagster.webserver import HELPER, DaemonParts, UserInterface
from codelocd.dagster.workspace import Links, Sockets
from codelocd.model import DagsterSettings, GrpcServer, LocationSpec, Output
from codelocd.process.child import Children
from codelocd.process.inheritance import RUNNER, Inheritance, InheritedProcess
from codelocd.runners.warm.method import MethodChoice
from codelocd.storage.paths import DaemonPaths

if TYPE_CHECKING:
    from codelocd.documents.locations import DagsterStatus, StartDocument


# --- servers that outlive the daemon -----------------------------------------------------------


def holding(children: Children, home: Path) -> Hold:
    """`home`: the DAGSTER_HOME of the daemon; one with another cannot go on with the server."""

    def hold(server: CodeServer, kind: Kind) -> None:
        record = {
            "kind": kind,
            "location": server.location,
            "generation": None,
            "path": str(server.path),
            "executable": str(server.executable),
            "start_method": server.choice.method,
            "why": server.choice.why,
            "group": server.group,
            "since": server.since,
            "home": str(home),
        }
        children.hold(server.pid, record)

    return hold


def paths(inheritance: Inheritance) -> set[Path]:
    """Where the servers listen that were left."""
    return {
        Path(left.record["path"]) for left in inheritance.left if left.kind in (SERVER, LEAVING)
    }


class InheritedServers:
    """Those that were left: `serving` are the ones that Dagster was led to, the newest last;
    `leaving` take no more runs."""

    def __init__(
        self,
        inheritance: Inheritance,
        children: Children,
        output: Callable[[str, int | None], Output],
        home: Path,
    ) -> None:
        """`output(location, generation)`: where what a server prints goes."""
        runners = [left.record for left in inheritance.left if left.kind == RUNNER]
        generations = {each["location"]: each["generation"] for each in runners}
        self.serving: list[CodeServer] = []
        self.leaving: list[CodeServer] = []
        for left in (*inheritance.of(LEAVING), *inheritance.of(SERVER)):
            name = left.record["location"]
            goes_on = left.kind == SERVER and left.record["home"] == str(home)
            server = _taken(left, children, output(name, generations.get(name)))
            if server is not None:
                (self.serving if goes_on else self.leaving).append(server)


def _taken(left: InheritedProcess, children: Children, output: Output) -> CodeServer | None:
    """The server; None where it is gone, and with it all that it had."""
    record, words = left.record, ServerOutput(output)
    words.pass_on()
    left.tell(words)
    try:
        child = left.child(children, words)
    except ProcessLookupError:
        left.end()
        return None
    choice = MethodChoice(record["start_method"], record["why"])
    executable, path = Path(record["executable"]), Path(record["path"])
    group, since = record.get("group"), record.get("since")  # an older daemon noted neither
    return CodeServer(record["location"], child, executable, path, words, choice, group, since)


# --- the integration ---------------------------------------------------------------------------

AGAIN = 5.0
"""Seconds until something is tried again that the machine lacked the means for."""

QUIET = 0.3
"""Seconds in which further changes of the list of locations are taken together."""
STOP_SECONDS = 5.0


class DagsterServing:
    """Of one daemon; it goes on with what an earlier one has left. `native()` returns when every
    location has had its first outcome, and says which of them hold no definitions of Dagster's."""

    def __init__(
        self,
        means: DaemonParts,
        settings: DagsterSettings,
        of_daemon: DaemonPaths,
        home: Path,
        warm: ProgramLauncher,
        native: Callable[[], Awaitable[list[str]]],
        inheritance: Inheritance,
        limits: HoldsToLimits,
    ) -> None:
        self._settings = settings
        self._native = native
        self._home = home
        self._workspace = of_daemon.state_dir / "workspace.yaml"
        sockets = Sockets(of_daemon.runtime_dir, paths(inheritance))
        self._warm = warm
        launch = None
        if settings.launcher == "warm":
            launch = WarmLaunch(means.bundle, of_daemon.socket)
        instance = Instance(home, means.children, {} if launch is None else launch.path)
        self._servers = Servers(warm, sockets, instance, limits, means.codeloc)
        self._ui = UserInterface(means, settings, self._home, self._workspace, launch)
        self._ui.go_on(inheritance.of(HELPER))
        self._news = asyncio.Event()
        hold = holding(means.children, home)
        drain = Drain(settings.drain_timeout, self._ui.client.canceling, hold)
        self._links = Links(sockets, drain, self._news, hold)
        left = InheritedServers(inheritance, means.children, means.logs.output, home)
        for server in left.serving:
            self._links.lead(server.location, server)
        for server in left.leaving:
            drain.take(server)
        self._adopted = [*left.serving, *left.leaving]
        self._limits, self._note = limits, means.children.note
        self._external: list[LocationSpec] = []
        self._listed = asyncio.Event()
        self._told: set[str] = set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def launcher(self) -> DagsterLauncher:
        """The launcher that starts runners, each with a code server."""
        return DagsterLauncher(self._warm, self._servers, self._links, self._note)

    def locations_are(self, specs: Iterable[LocationSpec]) -> None:
        """The config as it is now: what is no longer in it leaves Dagster too."""
        known = {spec.name: spec for spec in specs}
        self._external = [s for s in known.values() if isinstance(s.target, GrpcServer)]
        for name in [name for name in self._links.served if name not in known]:
            self._links.forget(name)
        self._told &= known.keys()
        self._news.set()
        self._listed.set()

    def settle(self, wanted: Collection[str]) -> None:
        """The locations are known: what an earlier daemon has left of others leaves, too."""
        self._links.keep_only(wanted)
        while self._adopted:
            self._limits.begin(self._adopted.pop())

    def about(self) -> DagsterStatus:
        """For `status`: the address of the page, and the code server of each location."""
        current = self._links.current
        return {
            "url": self._ui.url,
            "home": str(self._home),
            "workspace": str(self._workspace),
            "pids": self._ui.pids,
            "servers": {name: server.pid for name, server in current.items()},
            "starts": {name: _told(server.choice) for name, server in current.items()},
        }

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._ui.close(), self._links.close(STOP_SECONDS))

    def kill(self) -> None:
        self._ui.kill()
        self._links.kill()

    async def _run(self) -> None:
        await self._next_news()
        self._tell_apart(await self._native())
        await asyncio.gather(self._keep_current(), self._tell_of_others())

    async def _keep_current(self) -> None:
        while not self._links.served:
            await self._next_news()
        while not await self._begin():
            await self._next_news()
        while True:
            await self._next_news()
            try:
                if workspace.write(self._workspace, self._text()):
                    await self._ui.locations_changed()
            except OSError as failure:
                self._not_for_now(failure)

    async def _tell_of_others(self) -> None:
        """What a config adds later may be none of Dagster's, either."""
        while True:
            await self._listed.wait()
            self._listed.clear()
            self._tell_apart(await self._native())

    def _tell_apart(self, native: list[str]) -> None:
        """Say once why these locations are not in Dagster's UI, or why there is no UI."""
        native = [name for name in native if name not in self._told]
        if not native:
            return
        self._told.update(native)
        names = ", ".join(native)
        why = "they use codeloc, and Dagster knows its own definitions only"
        self._ui.say(f"not in Dagster's UI: {names}; {why}")
        if not self._links.served:
            self._ui.say(
                "Dagster's UI opens as soon as a location with Dagster's definitions loads"
            )

    async def _next_news(self) -> None:
        await self._news.wait()
        await asyncio.sleep(QUIET)
        self._news.clear()

    async def _begin(self) -> bool:
        try:
            changed = workspace.write(self._workspace, self._text())
            if not self._settings.page:
                self._ui.say(f"Dagster's code servers: {self._workspace}")
                return True
            adopted = self._ui.pids
            await self._ui.start(newest_of(self._links.served.values()))
            if adopted and changed:
                await self._ui.locations_changed()
        except (EnvironmentProblem, OSError) as failure:
            self._ui.say(f"Dagster's UI cannot be started: {failure}")
            self._not_for_now(failure)
            return False
        return True

    def _not_for_now(self, failure: OSError | EnvironmentProblem) -> None:
        """What the machine lacks for a while is news when it may be there again."""
        passes = failure.passing if isinstance(failure, EnvironmentProblem) else shortage(failure)
        if passes:
            asyncio.get_running_loop().call_later(AGAIN, self._news.set)

    def _text(self) -> str:
        links = {name: self._links.path(name) for name in self._links.served}
        return workspace.text(links, self._external)


def _told(choice: MethodChoice) -> StartDocument:
    return {"start_method": choice.method, "why": choice.why}
