"""The code server beside one runner: its second chance, its death and its silence."""

from __future__ import annotations

import asyncio

import pytest
from played import FakeServer, FakeSide

from codelocd.dagster.launcher import ServerSupervision
from codelocd.dagster.servers import PingPolicy, until_down
from codelocd.model import Cold, Exit, Snapshot
from codelocd.runners.api import Bad, Good, MustStartCold
from codelocd.runners.warm.method import MethodChoice

GOOD = Good(Snapshot("dagster", "3.12.1", 0.1, (), {}), 0.1)
LONG, SHORT = 60.0, 0.01
SOON = PingPolicy(interval=0.001, answer=0.001, misses=3)


@pytest.fixture
async def side():
    return FakeSide()


@pytest.fixture
async def fork():
    return FakeServer("fork")


async def within(awaitable):
    return await asyncio.wait_for(awaitable, 5)


async def serving(side, server, patience):
    supervision = ServerSupervision(side, server, patience)
    server.ready.set_result(None)
    assert await supervision.load(LONG, GOOD) is GOOD
    supervision.take_over()
    return supervision


async def test_a_fork_that_answers_is_the_server(side, fork):
    supervision = ServerSupervision(side, fork, PingPolicy())
    fork.ready.set_result(None)
    assert await supervision.load(LONG, GOOD) is GOOD
    assert supervision.server is fork
    assert side.started.empty()


async def test_a_fork_that_crashes_in_its_load_is_to_be_started_again_on_its_own(side, fork):
    supervision = ServerSupervision(side, fork, PingPolicy())
    fork.exited.set_result(Exit(signal=11))
    outcome = await within(supervision.load(LONG, GOOD))
    why = "the code server was killed by SIGSEGV while loading after a fork"
    assert outcome == MustStartCold(Cold(why, f"sales: {why}"))
    assert side.started.empty(), "the lifecycle of the location decides"


async def test_a_fork_that_hangs_in_its_load_is_to_be_started_again_on_its_own(side, fork):
    supervision = ServerSupervision(side, fork, PingPolicy())
    outcome = await within(supervision.load(SHORT, GOOD))
    why = "the code server did not finish loading after a fork"
    assert outcome == MustStartCold(Cold(why, f"sales: {why}"))


async def test_what_fails_on_its_own_too_is_no_fault_of_the_fork(side):
    server = FakeServer("spawn")
    supervision = ServerSupervision(side, server, PingPolicy())
    server.exited.set_result(Exit(signal=11))
    assert isinstance(await within(supervision.load(LONG, GOOD)), Bad)
    assert side.suspicions == []
    assert side.started.empty()


@pytest.mark.parametrize("well", [True, False])
async def test_a_server_that_gives_up_what_the_runner_could_do_is_started_once_more(side, well):
    server = FakeServer("spawn")
    supervision = ServerSupervision(side, server, PingPolicy())
    server.exited.set_result(Exit(status=1))
    loading = asyncio.ensure_future(supervision.load(LONG, GOOD))
    second = await within(side.started.get())
    assert second.choice.method == "spawn"
    if well:
        second.ready.set_result(None)
        assert await within(loading) is GOOD
        assert supervision.server is second
    else:
        second.exited.set_result(Exit(status=1))
        assert isinstance(await within(loading), Bad)
    assert side.suspicions == []
    assert side.started.empty()


async def test_a_second_server_that_cannot_be_started_is_tried_again_while_it_serves(side, fork):
    supervision = await serving(side, fork, PingPolicy())
    side.fails = True
    fork.exited.set_result(Exit(signal=9))
    while len(side.said) < 2:  # noqa: ASYNC110  it is tried by a timer
        await asyncio.sleep(0.001)
    assert side.started.empty()
    side.fails = False
    assert await within(side.started.get())
    supervision.release()


async def test_a_load_that_nobody_wants_any_more_has_no_second_chance(side, fork):
    supervision = ServerSupervision(side, fork, PingPolicy())
    loading = asyncio.ensure_future(supervision.load(LONG, GOOD))
    await asyncio.sleep(0)
    supervision.drop()
    assert isinstance(await within(loading), Bad)
    assert fork.killed
    assert side.started.empty()


@pytest.mark.parametrize("well", [True, False])
async def test_a_server_that_dies_is_replaced_by_a_fork_and_then_without_one(side, fork, well):
    supervision = await serving(side, fork, PingPolicy())
    assert side.led.get_nowait() is fork
    fork.exited.set_result(Exit(signal=9))
    second = await within(side.started.get())
    assert second.choice.method == "fork"
    second.exited.set_result(Exit(signal=11))
    third = await within(side.started.get())
    why = "the code server was killed by SIGSEGV while loading after a fork"
    assert third.choice == MethodChoice("spawn", why)
    if well:
        third.ready.set_result(None)
        assert await within(side.led.get()) is third
        assert side.suspicions == [f"sales: {why}"]
    else:
        third.exited.set_result(Exit(status=1))
        await within(side.started.get())
        assert side.suspicions == []
    supervision.release()


async def test_a_server_that_dies_while_it_serves_is_back_by_itself(side, fork):
    supervision = await serving(side, fork, PingPolicy())
    assert side.led.get_nowait() is fork
    fork.exited.set_result(Exit(signal=9))
    second = await within(side.started.get())
    assert side.led.empty()
    second.ready.set_result(None)
    assert await within(side.led.get()) is second
    supervision.release()
    assert side.let_go == [second]
    assert side.said == ["Dagster's code server was killed by SIGKILL; another one takes its place"]


async def test_a_server_that_falls_silent_serves_until_another_one_answers(side, fork):
    supervision = await serving(side, fork, SOON)
    second = await within(side.started.get())
    assert not fork.killed
    second.ready.set_result(None)
    second.pings = [True] * 1000
    assert side.led.get_nowait() is fork
    assert await within(side.led.get()) is second
    assert side.said[0] == "Dagster's code server no longer answers; another one takes its place"
    supervision.release()


async def test_a_released_location_leaves_no_server_that_still_loads(side, fork):
    supervision = await serving(side, fork, SOON)
    second = await within(side.started.get())
    supervision.release()
    assert second.killed
    assert side.let_go == [fork]


async def test_a_server_is_down_when_it_has_ended(fork):
    fork.pings = [True] * 1000
    looking = asyncio.ensure_future(until_down(fork, SOON))
    fork.exited.set_result(Exit(status=0))
    assert await within(looking) == "exited with status 0"


async def test_misses_count_only_in_a_row(fork):
    fork.pings = [False, False, True, False, False, True]
    assert await within(until_down(fork, SOON)) == "no longer answers"
    assert fork.pings == []
