"""Cold starts take turns, and none holds up the rest."""

import asyncio

import pytest

from codelocd.daemon import start_limits


async def test_a_place_that_is_given_back_goes_to_the_next() -> None:
    places = start_limits.StartLimit(1)
    first = await places.take()
    second = asyncio.ensure_future(places.take())
    done, _ = await asyncio.wait([second], timeout=0)
    assert not done
    first.give_back()
    first.give_back()
    await asyncio.wait_for(second, 60)
    third = asyncio.ensure_future(places.take())
    done, _ = await asyncio.wait([third], timeout=0)
    assert not done, "a place was given back twice"
    third.cancel()


async def test_a_start_that_hangs_gives_its_place_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_limits, "PATIENCE", 0.01)
    places = start_limits.StartLimit(1)
    await places.take()
    assert await asyncio.wait_for(places.take(), 60)


async def test_within_a_turn_a_place_is_held() -> None:
    places = start_limits.StartLimit(1)
    async with places.turn():
        second = asyncio.ensure_future(places.take())
        done, _ = await asyncio.wait([second], timeout=0)
        assert not done
    await asyncio.wait_for(second, 60)


async def test_reloads_do_not_wait_for_starts_nor_these_for_environments() -> None:
    queues = start_limits.StartLimits(1)
    async with asyncio.timeout(60):
        start, prepare = queues.start, queues.preparation
        async with start(beside=False), start(beside=True), prepare(beside=True):
            pass
        async with prepare(beside=False), prepare(beside=False), start(beside=False):
            pass


async def test_promise_6_many_that_fail_together_are_started_again_in_turns() -> None:
    loop, pace = asyncio.get_running_loop(), start_limits.RestartPace(count=10, seconds=0.2)
    began, begun = loop.time(), list[float]()

    async def start() -> None:
        await pace.turn()
        begun.append(loop.time() - began)

    await asyncio.gather(*(start() for _ in range(50)))
    assert len(begun) == 50
    assert all(seconds > 0.19 * (number // 10) for number, seconds in enumerate(begun))


async def test_promise_6_a_few_restarts_do_not_wait() -> None:
    pace = start_limits.RestartPace(count=10, seconds=3600.0)
    async with asyncio.timeout(60):
        for _ in range(10):
            await pace.turn()
