"""A code server, and Dagster's side of a location, that do as a test tells them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from codelocd.dagster.grpc import CallFailed
from codelocd.model import Cold, Exit, StartMethod
from codelocd.runners.warm.method import MethodChoice


class FakeServer:
    last_lines = "its last words"

    def __init__(self, method: StartMethod, why: str = "") -> None:
        self.choice = MethodChoice(method, why)
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.killed = False
        self.pings: list[Any] = []
        """What comes of each ping in turn; none are answered beyond these."""

    async def answered(self) -> bool:
        await asyncio.wait([self.ready, self.exited], return_when=asyncio.FIRST_COMPLETED)
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


class FakeSide:
    """`started` has each server that was asked for, `led` each that Dagster was led to."""

    def __init__(self) -> None:
        self.started: asyncio.Queue[FakeServer] = asyncio.Queue()
        self.led: asyncio.Queue[FakeServer] = asyncio.Queue()
        self.let_go: list[FakeServer] = []
        self.suspicions: list[str] = []
        self.said: list[str] = []
        self.fails = False
        self.spec = SimpleNamespace(location="sales")

    async def start(self, cold: Cold | None) -> FakeServer:
        if self.fails:
            raise OSError("no more processes")
        server = FakeServer("fork") if cold is None else FakeServer("spawn", cold.why)
        self.started.put_nowait(server)
        return server

    def served(self, server: FakeServer) -> None:
        self.led.put_nowait(server)

    def released(self, server: FakeServer) -> None:
        self.let_go.append(server)

    def suspect(self, cold: Cold) -> None:
        self.suspicions.append(cold.suspicion)

    def say(self, text: str) -> None:
        self.said.append(text)
