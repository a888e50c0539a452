"""One `dagster api grpc` process in the environment of its location."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from codelocd.core import problems
from codelocd.core.logged_output import LoggedOutput
from codelocd.dagster.grpc import CallFailed, call
from codelocd.model import Exit, Output, Problem, Stream
from codelocd.process.child import Child
from codelocd.runners.api import RunnerSpec
from codelocd.runners.warm.method import MethodChoice

CALL_TIMEOUT = 5.0
"""Seconds for an answer about runs, or to a ping."""
LOOK_AGAIN = 0.02
"""Seconds between two looks whether a starting server answers: it sends no event."""

_OPTIONS = {
    "python_file": "--python-file",
    "module": "--module-name",
    "package": "--package-name",
    "autoload_defs_module": "--autoload-defs-module-name",
}


class CodeServer:
    """A started server, which listens at `path`; `choice` says in which way it was started.
    `broke`: the limit that it exceeded, for which it ends or has ended."""

    def __init__(
        self,
        location: str,
        child: Child,
        executable: Path,
        path: Path,
        words: ServerOutput,
        choice: MethodChoice,
        group: str | None = None,
        since: float | None = None,
    ) -> None:
        """`group`: the folder of its control group; `since`: when it was started, monotonic; None:
        now."""
        self.group = group
        self.since = time.monotonic() if since is None else since
        self.broke: Problem | None = None
        self.location = location
        self.executable = executable
        self.path = path
        self.choice = choice
        self._child = child
        self._words = words

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def exited(self) -> asyncio.Future[Exit]:
        return self._child.exited

    @property
    def last_lines(self) -> str:
        return self._words.last

    async def answered(self) -> bool:
        """Waits until it answers, which is when it has loaded the code; False if it ended first."""
        while not self.exited.done():
            if self.path.exists():
                with contextlib.suppress(CallFailed):
                    await self.ping(CALL_TIMEOUT)
                    self._words.pass_on()
                    return True
            await asyncio.wait([self.exited], timeout=LOOK_AGAIN)
        return False

    async def ping(self, timeout: float) -> None:
        """Raises CallFailed."""
        await call(self.path, "Ping", "codelocd", timeout=timeout)

    async def runs(self) -> list[str]:
        """The ids of the runs in progress, its children. Raises CallFailed."""
        return await self._runs(CALL_TIMEOUT)

    async def runs_by_process(self, seconds: float) -> dict[int, str]:
        """The runs in progress by the pids of their processes; {} where it does not say so in that
        time. It starts one after the other, and lists them in that order
        (`DagsterApiServer.StartRun` and `GetCurrentRuns`)."""
        try:
            runs = await self._runs(seconds)
        except CallFailed:
            return {}
        processes = await asyncio.to_thread(self.run_processes)
        if len(processes) != len(runs):
            return {}
        return {each.pid: run for each, run in zip(processes, runs, strict=True)}

    def run_processes(self) -> list[psutil.Process]:
        """The processes of its runs, in the order of their starts: children that `multiprocessing`
        has started for it."""
        found: list[tuple[float, int, psutil.Process]] = []
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.pid).children():
                with contextlib.suppress(psutil.Error):
                    if any("spawn_main" in word for word in child.cmdline()):
                        found.append((child.create_time(), child.pid, child))
        return [child for _, _, child in sorted(found, key=lambda each: each[:2])]

    async def _runs(self, seconds: float) -> list[str]:
        told = await call(self.path, "GetCurrentRuns", timeout=seconds)
        try:
            return [str(each) for each in json.loads(told)["current_runs"]]
        except (ValueError, KeyError) as failure:
            raise CallFailed(f"GetCurrentRuns was answered with {told!r}") from failure

    async def cancel(self, run: str) -> None:
        """Raises CallFailed."""
        request = json.dumps({"__class__": "CancelExecutionRequest", "run_id": run})
        await call(self.path, "CancelExecution", request, timeout=CALL_TIMEOUT)

    async def leave(self) -> None:
        """Ask it to take no more runs and to end with the last one it has."""
        try:
            await call(self.path, "ShutdownServer", timeout=CALL_TIMEOUT)
        except CallFailed:
            self.terminate()

    def terminate(self) -> None:
        """Send SIGTERM to the server alone: its runs are in its group and go on."""
        if not self.exited.done():
            os.kill(self.pid, signal.SIGTERM)

    def may_have_runs(self) -> bool:
        """Whether it has child processes, as runs are. The server need not answer for that."""
        try:
            return bool(psutil.Process(self.pid).children())
        except psutil.NoSuchProcess:
            return False

    async def gone(self, seconds: float) -> bool:
        return await self._child.gone(seconds)

    def kill(self) -> None:
        """Kill it and all its runs at once."""
        if not self.exited.done():
            self._child.kill()


def arguments(spec: RunnerSpec, path: Path) -> tuple[str, ...]:
    """Arguments of Dagster's own command line, all of which Dagster 1.5 has already."""
    attribute = ["--attribute", spec.attribute] if spec.attribute else []
    return (
        *("api", "grpc", "--socket", str(path), "--use-python-environment-entry-point"),
        *("--working-directory", str(spec.working_directory), "--log-level", "warning"),
        *(_OPTIONS[spec.target.kind], spec.target.value, *attribute),
    )


@dataclass(frozen=True, slots=True)
class PingPolicy:
    """Seconds between two pings and for each answer, and how many in a row may be missed.

    Generous: a server answers no request while all its threads evaluate sensors.
    """

    interval: float = 10.0
    answer: float = 30.0
    misses: int = 3


PING_POLICY = PingPolicy()


async def until_down(server: CodeServer, policy: PingPolicy) -> str:
    """What became of a server that has loaded: how it ended, or that it is silent for too long."""
    missed = 0
    while missed < policy.misses:
        if await server.gone(policy.interval):
            return problems.how(await server.exited)
        try:
            await server.ping(policy.answer)
            missed = 0
        except CallFailed:
            missed += 1
    return "no longer answers"


LAST_PIECES = 30


class ServerOutput:
    """While it loads, the runner beside it prints the same: it is not shown twice."""

    def __init__(self, output: Output) -> None:
        logged: LoggedOutput | None = getattr(output, "logged", None)
        self._output = output if logged is None else logged.beside()
        self.logged = getattr(self._output, "logged", None)
        self._loading = True
        self._said: deque[bytes] = deque(maxlen=LAST_PIECES)

    def __call__(self, stream: Stream, data: bytes) -> None:
        if self._loading:
            self._said.append(data)
        else:
            self._output(stream, data)

    def pass_on(self) -> None:
        """It has loaded."""
        self._loading = False

    @property
    def last(self) -> str:
        """The end of what it printed while it loaded, for the problem that it may have."""
        return b"".join(self._said).decode(errors="replace")


MODULE = "dagster"
"""What a code server is: `python -m dagster`."""

MODULES = (
    "dagster._cli",
    "dagster._grpc.server",
    "dagster._core.instance.factory",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._utils.test.definitions",
    "dagster_postgres",
    "dagster_mysql",
    "grpc._interceptor",
    "grpc._server",
    "upath.implementations.local",
)
"""A fixed list, not learned from loads: of 1,490 modules in a serving process, those that no
location imports by itself. Those that a release does not have, or an environment, are passed over.
Not `dagster.__main__`: to import that is to run it."""

BESIDE = {MODULE: MODULES}
"""Preloaded where locations import dagster, in fork servers and in spares for code servers."""


INTERVAL = 0.5
"""Seconds between two looks at a server that has runs in progress."""
GRACE = 10.0
"""Seconds from SIGTERM to the end of all that a server has, and of silence without any runs."""

Kind = Literal["code server", "leaving code server"]
SERVER: Kind = "code server"
"""One that Dagster is led to."""
LEAVING: Kind = "leaving code server"
"""One that was replaced, or that its location has no use for: it ends with its last run."""

Hold = Callable[[CodeServer, Kind], None]
"""Has a server outlive the daemon from now on, as one of that kind."""


def hold_nothing(_server: CodeServer, _kind: Kind) -> None:
    """Every server ends with the daemon."""


Cancelled = Callable[[list[str]], Awaitable[list[str]]]
"""Returns those of these runs that Dagster was asked to terminate."""


class Drain:
    """Lets each server go, forwards what is meant for it, and waits at most `patience` seconds.

    Dagster finds the server of a run by the location's link. A cancel therefore reaches the
    server that took over, which knows nothing of the run: it is told to the old one from here.
    """

    def __init__(self, patience: float, cancelled: Cancelled, hold: Hold = hold_nothing) -> None:
        self._hold = hold
        self._patience = patience
        self._cancelled = cancelled
        self._leaving: dict[asyncio.Task[None], CodeServer] = {}

    def take(self, server: CodeServer) -> None:
        self._hold(server, LEAVING)
        task = asyncio.get_running_loop().create_task(self._see_off(server))
        self._leaving[task] = server
        task.add_done_callback(self._leaving.pop)

    async def close(self, seconds: float) -> None:
        """End all of them, their runs included, `seconds` after they were asked to."""
        servers = list(self._leaving.values())
        for task in tuple(self._leaving):
            task.cancel()
        for server in servers:
            server.terminate()
        await asyncio.gather(*(server.gone(seconds) for server in servers))
        for server in servers:
            server.kill()

    async def _see_off(self, server: CodeServer) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await server.leave()
                await self._wait(server)
                return
        server.terminate()
        if not await server.gone(GRACE):
            server.kill()

    async def _wait(self, server: CodeServer) -> None:
        """Wait until the server has ended. One that is silent and has no runs is killed: it is of
        no more use."""
        loop, told = asyncio.get_running_loop(), set[str]()
        heard = loop.time()
        while not await server.gone(INTERVAL):
            try:
                await self._forward(server, told)
                heard = loop.time()
            except CallFailed:
                if loop.time() - heard > GRACE and not server.may_have_runs():
                    server.kill()

    async def _forward(self, server: CodeServer, told: set[str]) -> None:
        """The cancels of its runs that it was not `told` before. Raises CallFailed."""
        runs = [run for run in await server.runs() if run not in told]
        for run in await self._cancelled(runs) if runs else ():
            await server.cancel(run)
            told.add(run)
