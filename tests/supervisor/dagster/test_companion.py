"""A runner and its code server as one, played with parts that do as they are told."""

from __future__ import annotations

import asyncio
import json

import pytest
from played import FakeServer, FakeSide

from codelocd.dagster.companion import Companion
from codelocd.dagster.health import Patience
from codelocd.dagster.keeper import Keeper
from codelocd.launchers.warm_runner import Departed
from codelocd.model import Exit
from codelocd.warm import Choice


class FakeRunner:
    pid = 1

    def __init__(self) -> None:
        self.exited = asyncio.get_running_loop().create_future()
        self.answer = {"ok": True, "body": body("dagster")}
        self.did: list[str] = []

    async def call(self, method, params=None, timeout=None):
        return self.answer

    def take_over(self) -> None:
        self.did.append("take over")

    async def retire(self, patience, grace) -> None:
        self.did.append("retire")

    def kill(self) -> None:
        self.did.append("kill")


def body(loader: str) -> bytes:
    known = {"loader": loader, "definitions": [], "sources": {"/a.py": "x"}, "watch": []}
    return json.dumps({**known, "python": "3.12.1", "load_seconds": 0.1}).encode()


class Pair:
    def __init__(self) -> None:
        self.runner = FakeRunner()
        self.side = FakeSide()
        self.server = FakeServer("spawn")
        keeper = Keeper(self.side, self.server, Patience())
        self.companion = Companion(self.runner, keeper, start_timeout=60)


@pytest.fixture
async def pair():
    pair = Pair()
    yield pair
    await pair.companion.retire(0, 0)


async def test_a_runner_that_is_started_again_for_what_its_code_does_takes_the_server_along(pair):
    pair.server.choice = Choice("fork", "nothing forbids it")

    async def departs(method, params=None, timeout=None):
        raise Departed("it sets the variable X")

    call, pair.runner.call = pair.runner.call, departs
    with pytest.raises(Departed):
        await pair.companion.call("snapshot")
    pair.runner.call = call
    loading = asyncio.ensure_future(pair.companion.call("snapshot"))
    second = await asyncio.wait_for(pair.side.started.get(), 5)
    assert pair.server.killed
    why = "it sets the variable X; it was started again on its own"
    assert second.choice == Choice("spawn", why)
    second.ready.set_result(None)
    assert (await loading)["ok"]


async def test_it_has_loaded_only_when_the_code_server_answers_too(pair):
    loading = asyncio.ensure_future(pair.companion.call("snapshot"))
    await asyncio.wait([loading], timeout=0.01)
    assert not loading.done()
    pair.server.ready.set_result(None)
    assert (await loading)["ok"]


async def test_a_code_server_that_ends_while_it_loads_fails_the_load_with_its_last_words(pair):
    pair.server.exited.set_result(Exit(status=1))
    answer = await pair.companion.call("snapshot")
    told = json.loads(answer["body"])
    assert not answer["ok"]
    assert told["problem"]["summary"] == (
        "Dagster's own code server exited with status 1 while it loaded the code"
    )
    assert told["problem"]["detail"] == "its last words"
    assert told["sources"] == {"/a.py": "x"}


@pytest.mark.parametrize(
    "answer", [{"ok": False, "body": b"{}"}, {"ok": True, "body": body("native")}]
)
async def test_what_dagster_cannot_serve_has_no_code_server(pair, answer):
    pair.runner.answer = answer
    assert await pair.companion.call("snapshot") == answer
    assert pair.server.killed


async def test_dagster_is_led_to_the_server_when_the_runner_takes_over(pair):
    assert pair.side.led.empty()
    pair.companion.take_over()
    assert pair.side.led.get_nowait() is pair.server
    assert pair.runner.did == ["take over"]


async def test_a_server_that_serves_outlives_its_runner_and_one_that_does_not_goes_with_it(pair):
    pair.companion.take_over()
    pair.runner.exited.set_result(Exit(signal=9))
    await asyncio.sleep(0)
    assert not pair.server.killed
    other = Pair()
    other.companion.kill()
    assert other.server.killed


async def test_a_retired_pair_releases_its_server_and_starts_no_other(pair):
    pair.companion.take_over()
    await pair.companion.retire(1, 1)
    assert pair.side.let_go == [pair.server]
    assert pair.runner.did[-1] == "retire"
    pair.server.exited.set_result(Exit(status=0))
    await asyncio.sleep(0)
    assert pair.side.started.empty()
