"""Starts code servers, one beside every runner whose environment has Dagster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from codelocd.core import problems
from codelocd.core.restarts import Pauses
from codelocd.dagster.code_server import (
    MODULE,
    PING_POLICY,
    CodeServer,
    PingPolicy,
    ServerOutput,
    arguments,
    until_down,
)
from codelocd.dagster.instance import Instance, release_in
from codelocd.dagster.workspace import Links, Sockets
from codelocd.model import Cold
from codelocd.process.child import Child, shielded
from codelocd.runners.api import (
    Bad,
    Good,
    Launcher,
    LoadOutcome,
    MustStartCold,
    Program,
    RunnerHandle,
    RunnerSpec,
    WrappedRunner,
    hangs_after,
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
        codeloc: Path | None = None,
    ) -> None:
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
        program = Program(spec, MODULE, asked, variables, output, self._codeloc)
        child, choice = await self._launcher.program(program)
        return CodeServer(spec.location, child, spec.executable, path, output, choice)

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
    ) -> None:
        """`hang`: as for `load`, where the runner was loaded by an earlier daemon."""
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

    async def load(self, seconds: float, runners: Good) -> LoadOutcome:
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
                return Bad({"summary": summary}, runners.snapshot.sources, runners.read)
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
        end = problems.how(await self.server.exited)
        summary = f"Dagster's own code server {end} while it loaded the code"
        problem = {"summary": summary, "detail": self.server.last_lines}
        return Bad(problem, runners.snapshot.sources, runners.read)

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
        loop, pauses = asyncio.get_running_loop(), Pauses()
        while True:
            began = loop.time()
            what = "is gone"
            if self._server is not None:
                what = await until_down(self._server, self._policy)
            self._say(f"Dagster's code server {what}; another one takes its place")
            await asyncio.sleep(pauses.after(loop.time() - began))
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


OTHERWISE = (
    "the code server loaded what the runner could not, at the same time and from the same files"
)


class RunnerWithServer(WrappedRunner):
    """A runner and the code server beside it: loaded when both have loaded; takes over, and
    leaves, with both.

    A server that serves outlives a runner that died: the last good definitions stay in Dagster
    too, until another pair takes over. `start_timeout`: the location's own, in seconds.
    """

    def __init__(
        self, runner: RunnerHandle, supervision: ServerSupervision, start_timeout: float
    ) -> None:
        super().__init__(runner)
        self._supervision = supervision
        self._start_timeout = start_timeout
        runner.exited.add_done_callback(lambda _: supervision.drop())

    async def load(self) -> LoadOutcome:
        """The same as without a code server, if that one has loaded the code too.

        Where Dagster's libraries prepare files, which either of the two does, the runner may read
        what the server is writing: if only the runner fails, both load again, one after the other.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = await self._runner.load()
        if isinstance(outcome, Bad) and outcome.read:
            left = self._start_timeout - (loop.time() - began)
            if await self._supervision.loads(left / 2):
                outcome = MustStartCold(Cold(OTHERWISE))
        if not isinstance(outcome, Good) or outcome.snapshot.loader != LOADER:
            self._supervision.drop()
            return outcome
        limit = hangs_after(outcome.snapshot.load_seconds, self._start_timeout)
        return await self._supervision.load(limit, outcome)

    def take_over(self) -> None:
        self._runner.take_over()
        self._supervision.take_over()

    async def retire(self, patience: float, grace: float) -> None:
        self._supervision.release()
        await self._runner.retire(patience, grace)

    def kill(self) -> None:
        self._runner.kill()
        self._supervision.drop()


LOADER = "dagster"
"""Of the snapshot of a location that has Dagster's definitions."""


class DagsterLauncher:
    """Starts runners as another launcher does, and a code server beside each that has Dagster; in
    a second chance, the server starts after the runner's load."""

    def __init__(self, runners: ProgramLauncher, servers: Servers, links: Links) -> None:
        self._runners = runners
        self._servers = servers
        self._links = links

    async def start(self, spec: RunnerSpec) -> RunnerHandle:
        runner = await self._runners.start(spec)
        if release_in(spec.executable) is None:
            return runner
        try:
            server = await self._servers.start(spec) if spec.cold is None else None
        except BaseException:
            runner.kill()
            raise
        supervision = ServerSupervision(spec, server, self._servers, self._links, PING_POLICY)
        return RunnerWithServer(runner, supervision, spec.start_timeout)

    def adopt(self, spec: RunnerSpec, child: Child, record: Mapping[str, Any]) -> RunnerHandle:
        """A runner that an earlier daemon has left, with the code server that Dagster is led to;
        where that is gone, another one takes its place."""
        runner = self._runners.adopt(spec, child, record)
        if record.get("loader") != LOADER:
            return runner
        server = self._links.current.get(spec.location)
        supervision = ServerSupervision(
            spec,
            server,
            self._servers,
            self._links,
            PING_POLICY,
            hangs_after(record["load_seconds"], spec.start_timeout),
        )
        return RunnerWithServer(runner, supervision, spec.start_timeout)

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        self._runners.suspect(spec, what)
