"""Starts code servers, one beside every runner whose environment has Dagster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from codelocd.dagster.code_server import PING_POLICY
from codelocd.dagster.instance import release_in
from codelocd.dagster.supervision import ProgramLauncher, Servers, ServerSupervision
from codelocd.dagster.workspace import Links
from codelocd.model import Cold
from codelocd.process.child import Child
from codelocd.runners.api import (
    FailedOutcome,
    LoadedOutcome,
    LoadOutcome,
    MustStartCold,
    RunnerHandle,
    RunnerSpec,
    hangs_after,
)
from codelocd.runners.wrapped import WrappedRunner

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

    @property
    def record(self) -> Mapping[str, Any] | None:
        own = self._runner.record
        return None if own is None else {**own, FAILURES: self._supervision.failures}

    async def load(self) -> LoadOutcome:
        """The same as without a code server, if that one has loaded the code too.

        Where Dagster's libraries prepare files, which either of the two does, the runner may read
        what the server is writing: if only the runner fails, both load again, one after the other.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome = await self._runner.load()
        if isinstance(outcome, FailedOutcome) and outcome.read:
            left = self._start_timeout - (loop.time() - began)
            if await self._supervision.loads(left / 2):
                outcome = MustStartCold(Cold(OTHERWISE))
        if not isinstance(outcome, LoadedOutcome) or outcome.snapshot.loader != LOADER:
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


FAILURES = "server_failures"
"""How often in a row the code server has failed, in the record of its runner."""

LOADER = "dagster"
"""Of the snapshot of a location that has Dagster's definitions."""


class DagsterLauncher:
    """Starts runners as another launcher does, and a code server beside each that has Dagster; in
    a second chance, the server starts after the runner's load."""

    def __init__(
        self,
        runners: ProgramLauncher,
        servers: Servers,
        links: Links,
        note: Callable[[int, Mapping[str, Any]], None],
    ) -> None:
        """`note(pid, more)`: the next daemon gets to know more of the runner with that pid."""
        self._note = note
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
        supervision = ServerSupervision(
            spec, server, self._servers, self._links, PING_POLICY, note=self._noting(runner)
        )
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
            failures=record.get(FAILURES, 0),
            note=self._noting(runner),
        )
        return RunnerWithServer(runner, supervision, spec.start_timeout)

    def _noting(self, runner: RunnerHandle) -> Callable[[int], None]:
        return lambda failures: self._note(runner.pid, {FAILURES: failures})

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        self._runners.suspect(spec, what)
