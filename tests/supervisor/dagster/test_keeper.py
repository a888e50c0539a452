"""The code server beside one runner: its second chance, its death and its silence."""

from __future__ import annotations

import asyncio

import pytest
from played import FakeServer, FakeSide

from codelocd.dagster.health import Patience, until_down
from codelocd.dagster.keeper import Keeper
from codelocd.model import Exit

LONG, SHORT = 60.0, 0.01
SOON = Patience(interval=0.001, answer=0.001, misses=3)


@pytest.fixture
async def side():
    return FakeSide()


@pytest.fixture
async def fork():
    return FakeServer("fork")


async def within(awaitable):
    return await asyncio.wait_for(awaitable, 5)


async def serving(side, server, patience):
    keeper = Keeper(side, server, patience)
    server.ready.set_result(None)
    assert await keeper.answers(LONG)
    keeper.take_over()
    return keeper


async def test_a_fork_that_answers_is_the_server(side, fork):
    keeper = Keeper(side, fork, Patience())
    fork.ready.set_result(None)
    assert await keeper.answers(LONG)
    assert keeper.server is fork
    assert side.started.empty()


async def test_a_fork_that_crashes_in_its_load_is_started_again_on_its_own(side, fork):
    keeper = Keeper(side, fork, Patience())
    fork.exited.set_result(Exit(signal=11))
    answers = asyncio.ensure_future(keeper.answers(LONG))
    second = await within(side.started.get())
    assert second.choice.method == "spawn"
    assert second.choice.why == (
        "the code server was killed by SIGSEGV while loading after a fork; "
        "it was started again on its own"
    )
    assert side.suspicions == []
    second.ready.set_result(None)
    assert await within(answers)
    assert side.suspicions == ["the code server was killed by SIGSEGV while loading after a fork"]


async def test_a_fork_that_hangs_in_its_load_is_ended_and_started_again(side, fork):
    keeper = Keeper(side, fork, Patience())
    answers = asyncio.ensure_future(keeper.answers(SHORT))
    second = await within(side.started.get())
    assert fork.killed
    second.ready.set_result(None)
    assert await within(answers)
    assert side.suspicions == ["the code server did not finish loading after a fork"]


async def test_what_fails_on_its_own_too_is_no_fault_of_the_fork(side, fork):
    keeper = Keeper(side, fork, Patience())
    fork.exited.set_result(Exit(status=1))
    answers = asyncio.ensure_future(keeper.answers(LONG))
    (await within(side.started.get())).exited.set_result(Exit(status=1))
    assert not await within(answers)
    assert side.suspicions == []


async def test_a_second_server_that_cannot_be_started_is_a_failed_load(side, fork):
    side.fails = True
    keeper = Keeper(side, fork, Patience())
    fork.exited.set_result(Exit(status=1))
    assert not await within(keeper.answers(LONG))


async def test_a_load_that_nobody_wants_any_more_has_no_second_chance(side, fork):
    keeper = Keeper(side, fork, Patience())
    answers = asyncio.ensure_future(keeper.answers(LONG))
    keeper.drop()
    assert not await within(answers)
    assert fork.killed
    assert side.started.empty()


async def test_a_server_that_dies_while_it_serves_is_back_by_itself(side, fork):
    keeper = await serving(side, fork, Patience())
    assert side.led.get_nowait() is fork
    fork.exited.set_result(Exit(signal=9))
    second = await within(side.started.get())
    assert side.led.empty()
    second.ready.set_result(None)
    assert await within(side.led.get()) is second
    keeper.release()
    assert side.let_go == [second]
    assert side.said == ["Dagster's code server was killed by SIGKILL; another one takes its place"]


async def test_a_server_that_falls_silent_serves_until_another_one_answers(side, fork):
    keeper = await serving(side, fork, SOON)
    second = await within(side.started.get())
    assert not fork.killed
    second.ready.set_result(None)
    second.pings = [True] * 1000
    assert side.led.get_nowait() is fork
    assert await within(side.led.get()) is second
    assert side.said[0] == "Dagster's code server no longer answers; another one takes its place"
    keeper.release()


async def test_a_released_location_leaves_no_server_that_still_loads(side, fork):
    keeper = await serving(side, fork, SOON)
    second = await within(side.started.get())
    keeper.release()
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
