"""Replaced code servers, until the last of their runs has ended."""

from __future__ import annotations

import asyncio

import pytest

from codelocd.dagster import code_server as draining
from codelocd.dagster.code_server import CodeServer, Drain
from codelocd.dagster.grpc import CallFailed


class FakeServer(CodeServer):
    """Starts no process: nothing of a real one is used but what stands here."""

    def __init__(self, *runs: str) -> None:
        self.running = list(runs)
        self.did: list[str] = []
        self.ended = asyncio.Event()

    async def leave(self) -> None:
        self.did.append("leave")

    async def runs(self) -> list[str]:
        return self.running

    async def cancel(self, run: str) -> None:
        self.did.append(f"cancel {run}")
        self.running.remove(run)
        if not self.running:
            self.ended.set()

    def terminate(self) -> None:
        self.did.append("terminate")

    def kill(self) -> None:
        self.did.append("kill")
        self.ended.set()

    async def gone(self, seconds: float) -> bool:
        if not self.ended.is_set():
            await asyncio.wait([asyncio.ensure_future(self.ended.wait())], timeout=0.001)
        return self.ended.is_set()


async def test_a_cancel_that_reached_the_new_server_is_passed_on_to_the_old_one():
    asked: set[str] = set()

    async def canceling(runs: list[str]) -> list[str]:
        return [run for run in runs if run in asked]

    server, drain = FakeServer("a", "b"), Drain(60, canceling)
    drain.take(server)
    asked.update({"a", "b"})
    await asyncio.wait_for(server.ended.wait(), 60)
    assert server.did == ["leave", "cancel a", "cancel b"]


async def test_a_server_whose_runs_do_not_end_in_time_is_made_to_leave():
    async def nobody(_runs: list[str]) -> list[str]:
        return []

    server, drain = FakeServer("for ever"), Drain(0.01, nobody)
    drain.take(server)
    await asyncio.wait_for(server.ended.wait(), 60)
    assert server.did == ["leave", "terminate", "kill"]


async def test_at_the_end_nothing_is_waited_for():
    async def nobody(_runs: list[str]) -> list[str]:
        return []

    server, drain = FakeServer("for ever"), Drain(3600, nobody)
    drain.take(server)
    await drain.close(0)
    assert server.did[-2:] == ["terminate", "kill"]


class SilentServer(FakeServer):
    """`looked` is set once the drain has asked in vain, and then looked at its processes."""

    def __init__(self, *, children: bool) -> None:
        super().__init__()
        self.children = children
        self.looked = asyncio.Event()

    async def runs(self) -> list[str]:
        raise CallFailed("silence")

    def may_have_runs(self) -> bool:
        self.looked.set()
        return self.children


async def nothing(_runs: list[str]) -> list[str]:
    return []


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(draining, "GRACE", 0.0)


async def test_a_silent_server_without_runs_is_ended(at_once):
    server, drain = SilentServer(children=False), Drain(3600, nothing)
    drain.take(server)
    await asyncio.wait_for(server.ended.wait(), 60)
    assert server.did == ["leave", "kill"]


async def test_a_silent_server_that_may_have_runs_is_left_to_its_patience(at_once):
    server, drain = SilentServer(children=True), Drain(3600, nothing)
    drain.take(server)
    await asyncio.wait_for(server.looked.wait(), 60)
    assert server.did == ["leave"]
    await drain.close(0)
