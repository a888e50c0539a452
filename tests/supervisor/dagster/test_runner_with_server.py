"""A runner and its code server as one, played with parts that do as they are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from codelocd.dagster.launcher import OTHERWISE, RunnerWithServer
from codelocd.model import Cold, Exit, Snapshot
from codelocd.runners.api import FailedOutcome, LoadedOutcome, MustStartCold
from codelocd.runners.warm.method import MethodChoice
from tests.supervisor.dagster.played import FakeDagster, FakeServer


class FakeRunner:
    pid, node, placed_why = 1, None, ""
    start_method, why = "spawn", "warm interpreters are off"

    def __init__(self) -> None:
        self.exited = asyncio.get_running_loop().create_future()
        self.outcome = good("dagster")
        self.did: list[str] = []

    async def load(self):
        return self.outcome

    def blamed(self, end):
        return COLD

    async def serve(self) -> bool:
        return True

    def take_over(self) -> None:
        self.did.append("take over")

    async def retire(self, patience, grace) -> None:
        self.did.append("retire")

    def kill(self) -> None:
        self.did.append("kill")


COLD = Cold("it sets the variable X")


def good(loader: str) -> LoadedOutcome:
    return LoadedOutcome(Snapshot(loader, "3.12.1", 0.1, (), {"/a.py": "x"}), 0.1)


class Pair:
    def __init__(self) -> None:
        self.runner = FakeRunner()
        self.dagster = FakeDagster()
        self.server = FakeServer("spawn")
        supervision = self.dagster.supervised(self.server)
        runner: Any = self.runner
        self.handle = RunnerWithServer(runner, supervision, start_timeout=60)


@pytest.fixture
async def pair():
    pair = Pair()
    yield pair
    await pair.handle.retire(0, 0)


async def test_a_runner_that_is_started_again_for_what_its_code_does_takes_the_server_along(pair):
    pair.server.choice = MethodChoice("fork", "nothing forbids it")
    pair.runner.outcome = MustStartCold(COLD)
    assert await pair.handle.load() == MustStartCold(COLD)
    assert pair.server.killed
    assert pair.handle.blamed(Exit(signal=11)) == COLD


async def test_a_server_that_a_fork_may_be_to_blame_for_takes_the_runner_along(pair):
    pair.server.choice = MethodChoice("fork", "nothing forbids it")
    pair.server.exited.set_result(Exit(signal=11))
    outcome = await pair.handle.load()
    why = "the code server was killed by SIGSEGV while loading after a fork"
    assert outcome == MustStartCold(Cold(why, f"sales: {why}"))


async def test_it_has_loaded_only_when_the_code_server_answers_too(pair):
    loading = asyncio.ensure_future(pair.handle.load())
    await asyncio.wait([loading], timeout=0.01)
    assert not loading.done()
    pair.server.ready.set_result(None)
    assert await loading == good("dagster")


async def test_a_code_server_that_ends_while_it_loads_fails_the_load_with_its_last_words(pair):
    pair.server.exited.set_result(Exit(status=1))
    loading = asyncio.ensure_future(pair.handle.load())
    (await pair.dagster.started.get()).exited.set_result(Exit(status=1))
    outcome = await loading
    assert isinstance(outcome, FailedOutcome)
    assert outcome.problem["summary"] == (
        "Dagster's own code server exited with status 1 while it loaded the code"
    )
    assert outcome.problem["detail"] == "its last words"
    assert outcome.sources == {"/a.py": "x"}


@pytest.mark.parametrize("outcome", [FailedOutcome({"summary": ""}, {}), good("native")])
async def test_what_dagster_cannot_serve_has_no_code_server(pair, outcome):
    pair.runner.outcome = outcome
    assert await pair.handle.load() == outcome
    assert pair.server.killed


PREPARED = FailedOutcome({"summary": ""}, {}, read=("/shop/models/**",))


async def test_what_only_the_runner_could_not_load_is_loaded_again_one_after_the_other(pair):
    pair.runner.outcome = PREPARED
    pair.server.ready.set_result(None)
    assert await pair.handle.load() == MustStartCold(Cold(OTHERWISE))
    assert pair.server.killed


async def test_what_neither_could_load_has_failed(pair):
    pair.runner.outcome = PREPARED
    pair.server.exited.set_result(Exit(status=1))
    assert await pair.handle.load() == PREPARED


async def test_a_server_that_takes_its_time_does_not_keep_back_why_the_runner_failed(pair):
    pair.runner.outcome = PREPARED
    pair.handle = RunnerWithServer(pair.runner, pair.handle._supervision, start_timeout=0.02)
    assert await pair.handle.load() == PREPARED
    assert pair.server.killed


async def test_dagster_is_led_to_the_server_when_the_runner_takes_over(pair):
    assert pair.dagster.led.empty()
    pair.handle.take_over()
    assert pair.dagster.led.get_nowait() is pair.server
    assert pair.runner.did == ["take over"]


async def test_a_server_that_serves_outlives_its_runner_and_one_that_does_not_goes_with_it(pair):
    pair.handle.take_over()
    pair.runner.exited.set_result(Exit(signal=9))
    await asyncio.sleep(0)
    assert not pair.server.killed
    other = Pair()
    other.handle.kill()
    assert other.server.killed


async def test_a_retired_pair_releases_its_server_and_starts_no_other(pair):
    pair.handle.take_over()
    await pair.handle.retire(1, 1)
    assert pair.dagster.let_go == [pair.server]
    assert pair.runner.did[-1] == "retire"
    pair.server.exited.set_result(Exit(status=0))
    await asyncio.sleep(0)
    assert pair.dagster.started.empty()
