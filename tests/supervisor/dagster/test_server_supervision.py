"""The code server beside one runner: its second chance, its death and its silence."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from codelocd.dagster.code_server import PingPolicy, until_down
from codelocd.model import Cold, Exit, Problem, Snapshot
from codelocd.runners.api import FailedOutcome, LoadedOutcome, MustStartCold
from codelocd.runners.warm.method import MethodChoice
from tests.supervisor.dagster.played import FakeDagster, FakeServer

GOOD = LoadedOutcome(Snapshot("dagster", "3.12.1", 0.1, (), {}), 0.1)
LONG, SHORT = 60.0, 0.01
SOON = PingPolicy(interval=0.001, answer=0.001, misses=3)


@pytest.fixture
async def dagster():
    return FakeDagster()


@pytest.fixture
async def fork():
    return FakeServer("fork")


async def within(awaitable):
    return await asyncio.wait_for(awaitable, 60)


async def serving(dagster, server, *policy):
    supervision = dagster.supervised(server, *policy)
    server.ready.set_result(None)
    assert await supervision.load(LONG, GOOD) is GOOD
    supervision.take_over()
    return supervision


async def test_a_fork_that_answers_is_the_server(dagster, fork):
    supervision = dagster.supervised(fork)
    fork.ready.set_result(None)
    assert await supervision.load(LONG, GOOD) is GOOD
    assert supervision.server is fork
    assert dagster.started.empty()


async def test_a_fork_that_crashes_in_its_load_is_to_be_started_again_on_its_own(dagster, fork):
    supervision = dagster.supervised(fork)
    fork.exited.set_result(Exit(signal=11))
    outcome = await within(supervision.load(LONG, GOOD))
    why = "the code server was killed by SIGSEGV while loading after a fork"
    assert outcome == MustStartCold(Cold(why, f"sales: {why}"))
    assert dagster.started.empty(), "the lifecycle of the location decides"


async def test_a_fork_that_hangs_in_its_load_is_to_be_started_again_on_its_own(dagster, fork):
    supervision = dagster.supervised(fork)
    outcome = await within(supervision.load(SHORT, GOOD))
    why = "the code server did not finish loading after a fork"
    assert outcome == MustStartCold(Cold(why, f"sales: {why}"))


async def test_what_fails_on_its_own_too_is_no_fault_of_the_fork(dagster):
    server = FakeServer("spawn")
    supervision = dagster.supervised(server)
    server.exited.set_result(Exit(signal=11))
    assert isinstance(await within(supervision.load(LONG, GOOD)), FailedOutcome)
    assert dagster.suspicions == []
    assert dagster.started.empty()


@pytest.mark.parametrize("well", [True, False])
async def test_a_server_that_gives_up_what_the_runner_could_do_is_started_once_more(dagster, well):
    server = FakeServer("spawn")
    supervision = dagster.supervised(server)
    server.exited.set_result(Exit(status=1))
    loading = asyncio.ensure_future(supervision.load(LONG, GOOD))
    second = await within(dagster.started.get())
    assert second.choice.method == "spawn"
    if well:
        second.ready.set_result(None)
        assert await within(loading) is GOOD
        assert supervision.server is second
    else:
        second.exited.set_result(Exit(status=1))
        assert isinstance(await within(loading), FailedOutcome)
    assert dagster.suspicions == []
    assert dagster.started.empty()


READ = LoadedOutcome(GOOD.snapshot, 0.1, read=("/shop/models/**",))


async def test_a_fork_that_gives_up_what_both_prepare_is_started_once_more_alone(dagster, fork):
    supervision = dagster.supervised(fork)
    fork.exited.set_result(Exit(status=1))
    loading = asyncio.ensure_future(supervision.load(LONG, READ))
    (await within(dagster.started.get())).ready.set_result(None)
    assert await within(loading) is READ
    assert dagster.suspicions == []


async def test_in_a_second_chance_the_server_starts_when_the_runner_has_loaded(dagster):
    dagster.spec = replace(dagster.spec, cold=Cold("it sets the variable X"))
    supervision = dagster.supervised(None)
    assert not await supervision.loads(LONG)
    loading = asyncio.ensure_future(supervision.load(LONG, GOOD))
    server = await within(dagster.started.get())
    assert server.choice == MethodChoice("spawn", "it sets the variable X")
    server.ready.set_result(None)
    assert await within(loading) is GOOD
    assert supervision.server is server


async def test_a_server_that_cannot_be_started_then_fails_the_load(dagster):
    dagster.fails = True
    outcome = await within(dagster.supervised(None).load(LONG, GOOD))
    assert isinstance(outcome, FailedOutcome)
    assert outcome.problem["summary"] == (
        "Dagster's own code server cannot be started: no more processes"
    )


async def test_a_second_server_that_cannot_be_started_is_tried_again_while_it_serves(dagster, fork):
    supervision = await serving(dagster, fork)
    dagster.fails = True
    fork.exited.set_result(Exit(signal=9))
    while len(dagster.said) < 2:  # noqa: ASYNC110  it is tried by a timer
        await asyncio.sleep(0.001)
    assert dagster.started.empty()
    dagster.fails = False
    assert await within(dagster.started.get())
    supervision.release()


async def test_a_load_that_nobody_wants_any_more_has_no_second_chance(dagster, fork):
    supervision = dagster.supervised(fork)
    loading = asyncio.ensure_future(supervision.load(LONG, GOOD))
    await asyncio.sleep(0)
    supervision.drop()
    assert isinstance(await within(loading), FailedOutcome)
    assert fork.killed
    assert dagster.started.empty()


@pytest.mark.parametrize("well", [True, False])
async def test_a_server_that_dies_is_replaced_by_a_fork_and_then_without_one(dagster, fork, well):
    supervision = await serving(dagster, fork)
    assert dagster.led.get_nowait() is fork
    fork.exited.set_result(Exit(signal=9))
    second = await within(dagster.started.get())
    assert second.choice.method == "fork"
    second.exited.set_result(Exit(signal=11))
    third = await within(dagster.started.get())
    why = "the code server was killed by SIGSEGV while loading after a fork"
    assert third.choice == MethodChoice("spawn", why)
    if well:
        third.ready.set_result(None)
        assert await within(dagster.led.get()) is third
        assert dagster.suspicions == [f"sales: {why}"]
    else:
        third.exited.set_result(Exit(status=1))
        await within(dagster.started.get())
        assert dagster.suspicions == []
    supervision.release()


async def test_a_server_that_dies_while_it_serves_is_back_by_itself(dagster, fork):
    supervision = await serving(dagster, fork)
    assert dagster.led.get_nowait() is fork
    fork.exited.set_result(Exit(signal=9))
    second = await within(dagster.started.get())
    assert dagster.led.empty()
    second.ready.set_result(None)
    assert await within(dagster.led.get()) is second
    supervision.release()
    assert dagster.let_go == [second]
    assert dagster.said == [
        "Dagster's code server was killed by SIGKILL; another one takes its place"
    ]


BROKEN = Problem("limit", "Dagster's code server used 2 GiB of memory", at=1.0)


async def test_a_server_that_broke_a_limit_is_back_and_no_fork_is_blamed(dagster, fork):
    supervision = await serving(dagster, fork)
    fork.broke = BROKEN
    fork.kill()
    second = await within(dagster.started.get())
    assert dagster.said == [f"{BROKEN.summary}; another one takes its place"]
    second.broke = BROKEN
    second.kill()
    assert (await within(dagster.started.get())).choice.method == "fork"
    assert dagster.suspicions == []
    supervision.release()


async def test_a_load_that_broke_a_limit_fails_with_that_problem(dagster, fork):
    supervision = dagster.supervised(fork)
    fork.broke = BROKEN
    fork.kill()
    outcome = await within(supervision.load(LONG, GOOD))
    assert isinstance(outcome, FailedOutcome)
    assert outcome.limit is BROKEN
    assert dagster.started.empty()


async def test_failures_in_a_row_are_noted_and_go_on_from_those_of_an_earlier_daemon(dagster, fork):
    noted: asyncio.Queue[int] = asyncio.Queue()
    supervision = dagster.supervised(None, failures=4, note=noted.put_nowait)
    assert supervision.failures == 4
    supervision.take_over()
    assert await within(noted.get()) == 5
    supervision.release()
    long_ago = dagster.supervised(fork, failures=4, note=noted.put_nowait)
    fork.since -= 3600.0
    fork.exited.set_result(Exit(signal=9))
    long_ago.take_over()
    assert await within(noted.get()) == 1
    long_ago.release()


async def test_a_server_that_falls_silent_serves_until_another_one_answers(dagster, fork):
    supervision = await serving(dagster, fork, SOON)
    second = await within(dagster.started.get())
    assert not fork.killed
    second.ready.set_result(None)
    second.pings = [True] * 1000
    assert dagster.led.get_nowait() is fork
    assert await within(dagster.led.get()) is second
    assert dagster.said[0] == "Dagster's code server no longer answers; another one takes its place"
    supervision.release()


async def test_a_released_location_leaves_no_server_that_still_loads(dagster, fork):
    supervision = await serving(dagster, fork, SOON)
    second = await within(dagster.started.get())
    supervision.release()
    assert second.killed
    assert dagster.let_go == [fork]


async def test_a_server_is_down_when_it_has_ended(fork):
    fork.pings = [True] * 1000
    looking = asyncio.ensure_future(until_down(fork, SOON))
    fork.exited.set_result(Exit(status=0))
    assert await within(looking) == "exited with status 0"


async def test_misses_count_only_in_a_row(fork):
    fork.pings = [False, False, True, False, False, True]
    assert await within(until_down(fork, SOON)) == "no longer answers"
    assert fork.pings == []
