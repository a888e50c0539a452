"""Starts a location's code server, and another one in its place when it dies or falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from codelocd.core import problems
from codelocd.core.restarts import Pauses
from codelocd.dagster.code_server import (
    MODULE,
    CodeServer,
    PingPolicy,
    ServerOutput,
    arguments,
    until_down,
)
from codelocd.dagster.instance import Instance
from codelocd.dagster.workspace import Links, Sockets
from codelocd.model import Cold
from codelocd.process.child import Child, shielded
from codelocd.runners.api import (
    FailedOutcome,
    Launcher,
    LoadedOutcome,
    LoadOutcome,
    MustStartCold,
    Program,
    RunnerHandle,
    RunnerSpec,
)
from codelocd.runners.warm.method import MethodChoice


class ProgramLauncher(Launcher, Protocol):
    """Starts runners, and programs beside them, from warm interpreters where there are any."""

    def adopt(self, spec: RunnerSpec, child: Child, record: Mapping[str, Any]) -> RunnerHandle:
        """A runner that an earlier daemon has started."""
        ...

    async def program(self, program: Program) -> tuple[Child, MethodChoice]:
        """The started program, and how it was started. Raises OSError."""
        ...


class HoldsToLimits(Protocol):
    """Holds servers to the limits of their locations."""

    def told(self, spec: RunnerSpec) -> RunnerSpec:
        """The order for a server, with the limits that it has before it runs user code."""
        ...

    def discard(self, spec: RunnerSpec) -> None:
        """Nothing was started by this order."""
        ...

    def begin(self, server: CodeServer) -> None:
        """Watch it until it ends."""
        ...


class Servers:
    """Starts the code servers of all locations; `instance` is what they have in common.

    `codeloc`: the folder that makes `codeloc` importable for a server, and for its runs, as it is
    for the runner beside it; None to do without.
    """

    def __init__(
        self,
        launcher: ProgramLauncher,
        sockets: Sockets,
        instance: Instance,
        limits: HoldsToLimits,
        codeloc: Path | None = None,
    ) -> None:
        self._limits = limits
        self._launcher = launcher
        self._codeloc = codeloc
        self._sockets = sockets
        self._instance = instance

    async def start(self, spec: RunnerSpec) -> CodeServer:
        """In the way that the runner of `spec` would be. Raises OSError."""
        await self._instance.opened(spec)
        path, output = self._sockets.new(), ServerOutput(spec.output)
        variables = self._instance.variables(spec)
        asked = arguments(spec, path)
        order = self._limits.told(spec)
        program = Program(order, MODULE, asked, variables, output, self._codeloc)
        try:
            child, choice = await self._launcher.program(program)
        except BaseException:
            self._limits.discard(order)
            raise
        server = CodeServer(
            spec.location, child, spec.executable, path, output, choice, order.group
        )
        self._limits.begin(server)
        return server

    def suspect(self, spec: RunnerSpec, cold: Cold) -> None:
        """A load failed after a fork, and then went well without one."""
        self._launcher.suspect(spec, cold.suspicion)


class ServerSupervision:
    """A location's code server. It takes part in the load of the runner beside it; once Dagster
    has been led to it, another one replaces it when it dies or falls silent.

    `spec` describes the runner; `server`, which has been started for it, is the first, None where
    it is to start after the runner's load, or once the runner, adopted without one, takes over.
    """

    def __init__(
        self,
        spec: RunnerSpec,
        server: CodeServer | None,
        servers: Servers,
        links: Links,
        policy: PingPolicy,
        hang: float = 0.0,
        failures: int = 0,
        note: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`hang`: as for `load`, where the runner was loaded by an earlier daemon; `failures`: how
        many in a row there were under that one; `note` gets their number when it changes."""
        self._pauses = Pauses(streak=failures)
        self._note = note
        self._spec = spec
        self._servers = servers
        self._links = links
        self._policy = policy
        self._serving: CodeServer | None = None
        self._task: asyncio.Task[None] | None = None
        self._dropped = False
        self._hang = hang
        self._server = server

    @property
    def failures(self) -> int:
        """How often in a row the server has ended by itself, or did not start."""
        return self._pauses.streak

    @property
    def server(self) -> CodeServer:
        assert self._server is not None, "asked for before the end of the runner's load"
        return self._server

    async def loads(self, seconds: float) -> bool:
        """Whether the server, if it was started beside the runner, loads the code in this time."""
        if self._server is None:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._server.answered()
        return False

    async def load(self, seconds: float, runners: LoadedOutcome) -> LoadOutcome:
        """What came of the load of both, when that of the runner was good.

        A load after a fork that takes the server longer than `seconds` from now on hangs. A server
        that gives up what the runner could do is started once more: two loads at once may be in
        each other's way (for the lock of a dbt project, dagster-dbt waits 60 s and no longer).
        """
        self._hang = seconds
        if self._server is None:
            try:
                await self._start(self._spec.cold)
            except OSError as failure:
                summary = f"Dagster's own code server cannot be started: {failure}"
                return FailedOutcome({"summary": summary}, runners.snapshot.sources, runners.read)
        cold = await self._failure(seconds)
        if cold is not None and runners.read and await self._gave_up():
            cold = None  # no fork is to blame: what both prepare may be in the way
        if cold is not None and not self._dropped:
            return MustStartCold(cold)
        if cold is None and await self._gave_up() and not self._dropped:
            with contextlib.suppress(OSError):
                await self._start(Cold("the code server gave up while the runner loaded"))
                await self.server.answered()
        if cold is None and not self.server.exited.done():
            return runners
        return await self._bad(runners)

    async def _bad(self, runners: LoadedOutcome) -> FailedOutcome:
        """The outcome where the server has ended over its load."""
        sources, read, limit = runners.snapshot.sources, runners.read, self.server.broke
        if limit is not None:
            return FailedOutcome({"summary": limit.summary}, sources, read, limit)
        end = problems.how(await self.server.exited)
        summary = f"Dagster's own code server {end} while it loaded the code"
        problem = {"summary": summary, "detail": self.server.last_lines}
        return FailedOutcome(problem, sources, read)

    def take_over(self) -> None:
        if self._dropped:
            return  # its code is none of Dagster's, or the runner is gone already
        try:
            self._lead()
        except OSError as failure:  # a disk that is full: the link leads there at the next start
            self._say(f"Dagster is not led to the new code server: {failure}")
        self._task = asyncio.get_running_loop().create_task(self._supervise())

    def release(self) -> None:
        """Another server has taken over, or the location stops: let this one leave."""
        self.drop()
        if self._serving is not None:
            self._links.release(self._spec.location, self._serving)

    def drop(self) -> None:
        """The runner is gone, or will be: a server that has not taken over goes with it."""
        self._dropped = True
        if self._task is not None:
            self._task.cancel()
        if self._server is not None and self._server is not self._serving:
            self._server.kill()

    async def _failure(self, seconds: float) -> Cold | None:
        """Why the load is to be made again without a fork; None if the server answers, or ended
        over a load that no fork is to blame for."""
        if self.server.choice.method != "fork":
            await self.server.answered()
            return None
        try:
            async with asyncio.timeout(seconds):
                if await self.server.answered():
                    return None
        except TimeoutError:
            return self._suspicion("did not finish loading")
        if self.server.broke is not None:
            return None
        return self._suspicion(f"{problems.how(await self.server.exited)} while loading")

    async def _gave_up(self) -> bool:
        """Whether the server has ended by itself over its load."""
        return self.server.exited.done() and (await self.server.exited).signal is None

    def _suspicion(self, what: str) -> Cold:
        what = f"the code server {what} after a fork"
        return Cold(what, f"{self._spec.location}: {what}")

    async def _start(self, cold: Cold | None) -> None:
        self._server = await shielded(
            self._servers.start(replace(self._spec, cold=cold)), CodeServer.kill
        )
        if self._dropped:
            self.server.kill()

    def _lead(self) -> None:
        if self._server is not None:
            self._serving = self._server
            self._links.lead(self._spec.location, self._server)

    async def _supervise(self) -> None:
        """Start another one when it is needed: where a fork has failed, the next without one."""
        while True:
            began, what = time.monotonic(), "Dagster's code server is gone"
            if (server := self._server) is not None:
                began = server.since
                what = f"Dagster's code server {await until_down(server, self._policy)}"
                if server.broke is not None:
                    what = server.broke.summary
            self._say(f"{what}; another one takes its place")
            pause = self._pauses.after(time.monotonic() - began)
            self._note(self.failures)
            await asyncio.sleep(pause)
            with contextlib.suppress(OSError):
                await self._start(None)
                if (cold := await self._failure(self._hang)) is not None:
                    self.server.kill()
                    await self._start(cold)
                    await self._failure(self._hang)
                if not self.server.exited.done():
                    self._lead()
                    if cold is not None:
                        self._servers.suspect(self._spec, cold)

    def _say(self, text: str) -> None:
        """One line beside those of the location."""
        self._spec.output("stderr", f"{text}\n".encode())
