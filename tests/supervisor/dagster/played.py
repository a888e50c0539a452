"""A code server, and what is around one, that do as a test tells them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from codelocd.dagster.code_server import PING_POLICY, PingPolicy
from codelocd.dagster.grpc import CallFailed
from codelocd.dagster.supervision import ServerSupervision
from codelocd.model import Cold, Exit, Problem, StartMethod, Stream, Target
from codelocd.runners.api import RunnerSpec
from codelocd.runners.warm.method import MethodChoice


class FakeServer:
    last_lines = "its last words"

    def __init__(self, method: StartMethod, why: str = "") -> None:
        self.choice = MethodChoice(method, why)
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.killed = False
        self.since = time.monotonic()
        self.broke: Problem | None = None
        self.pings: list[Any] = []
        """What comes of each ping in turn; none are answered beyond these."""

    async def answered(self) -> bool:
        either: list[asyncio.Future[Any]] = [self.ready, self.exited]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return self.ready.done()

    async def gone(self, seconds: float) -> bool:
        await asyncio.wait([self.exited], timeout=seconds)
        return self.exited.done()

    async def ping(self, timeout: float) -> None:
        if not self.pings or not self.pings.pop(0):
            raise CallFailed("silence")

    def kill(self) -> None:
        self.killed = True
        if not self.exited.done():
            self.exited.set_result(Exit(signal=9))


class FakeDagster:
    """Starts servers, and leads Dagster to them: `started` has each server that was asked for,
    `led` each that Dagster was led to.
    """

    def __init__(self) -> None:
        self.started: asyncio.Queue[FakeServer] = asyncio.Queue()
        self.led: asyncio.Queue[FakeServer] = asyncio.Queue()
        self.let_go: list[FakeServer] = []
        self.suspicions: list[str] = []
        self.said: list[str] = []
        self.fails = False
        self.spec = RunnerSpec(
            location="sales",
            environment="key",
            executable=Path("python"),
            variables={},
            working_directory=Path("/"),
            target=Target("module", "sales"),
            attribute=None,
            output=self._heard,
        )

    def supervised(
        self, server: FakeServer | None, policy: PingPolicy = PING_POLICY, **more: Any
    ) -> ServerSupervision:
        """It, as a runner of `spec` has it beside it."""
        fake: Any = self
        given: Any = server
        return ServerSupervision(self.spec, given, fake, fake, policy, **more)

    async def start(self, spec: RunnerSpec) -> FakeServer:
        assert replace(spec, cold=None) == replace(self.spec, cold=None)
        if self.fails:
            raise OSError("no more processes")
        cold = spec.cold
        server = FakeServer("fork") if cold is None else FakeServer("spawn", cold.why)
        self.started.put_nowait(server)
        return server

    def suspect(self, spec: RunnerSpec, cold: Cold) -> None:
        assert spec == self.spec
        self.suspicions.append(cold.suspicion)

    def lead(self, location: str, server: FakeServer) -> None:
        assert location == "sales"
        self.led.put_nowait(server)

    def release(self, location: str, server: FakeServer) -> None:
        assert location == "sales"
        self.let_go.append(server)

    def _heard(self, stream: Stream, data: bytes) -> None:
        assert stream == "stderr"
        assert data.endswith(b"\n")
        self.said.append(data.decode().rstrip("\n"))
