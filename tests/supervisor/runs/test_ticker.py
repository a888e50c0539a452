"""The ticker on a real book, with a clock of the test's and runs that end when the test says so."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import Future

import pytest

from codelocd.daemon.runs.ticker import WallClock
from codelocd.runs.book import BookProblem
from codelocd.runs.ticks import Tick
from tests.supervisor.runs.ticking import PLACE, Answer, Asked, definition, moment, ticking

HOUR, DAY = 3600.0, 86400.0


async def outcomes(world):
    return [(each.state, each.count or list(each.runs)) for each in await world.rows()]


async def test_each_time_is_one_tick_and_one_run(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        await world.clock.advance(3 * HOUR)
        assert await outcomes(world) == [("run", [1]), ("run", [2]), ("run", [3])]
        assert world.runs.times == [moment(f"2026-06-01T{hour}:00") for hour in (12, 13, 14)]
        wish = world.runs.all[1].wish
        assert (wish.location, wish.job, wish.by["name"]) == ("sales", "report", "nightly")
        assert wish.key == f"schedule __repository__/nightly@{moment('2026-06-01T12:00'):.0f}#0"
        assert world.table.times.of(PLACE) == moment("2026-06-01T15:00")


async def test_a_day_of_looks_is_at_most_one_a_minute(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        await world.clock.advance(DAY)
        assert world.ticker.looks <= DAY / 60 + 24 + 2


async def test_three_days_down_are_one_run_and_one_row_of_what_was_missed(tmp_path):
    async with ticking(tmp_path, "2026-06-01T12:30") as world:
        await world.end()
        world.clock.jump(3 * DAY)
        await world.begin()
        assert await outcomes(world) == [("missed", 71), ("run", [1])]
        assert world.runs.times == [moment("2026-06-04T12:00")]
        await world.clock.advance(HOUR)
        assert len(await world.rows()) == 3


async def test_all_that_was_missed_is_made_up_one_after_the_other(tmp_path):
    hourly = definition(catch_up="all")
    async with ticking(tmp_path, "2026-06-01T12:30", hourly) as world:
        await world.end()
        world.clock.jump(3 * DAY)
        world.runs.end_at_once = False
        await world.begin()
        for number in range(1, 73):
            while number not in world.runs.all:
                await world.rows()
            assert list(world.runs.unfinished()) == [number]
            world.runs.finish(number)
        rows = await world.rows()
        assert [each.state for each in rows] == ["run"] * 72
        assert world.runs.times == [each.scheduled_for for each in rows]


async def test_a_machine_that_slept_is_noticed_within_a_minute(tmp_path):
    async with ticking(tmp_path, "2026-06-01T12:30", definition(catch_up="none")) as world:
        world.clock.jump(5 * HOUR)
        await world.clock.advance(60)
        assert await outcomes(world) == [("missed", 5)]


async def test_nothing_repeats_when_the_clock_goes_back(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        await world.clock.advance(2 * HOUR)
        world.clock.jump(-2 * HOUR)
        await world.clock.advance(3 * HOUR)
        assert [each.scheduled_for for each in await world.rows()] == [
            moment(f"2026-06-01T{hour}:00") for hour in (12, 13, 14)
        ]


async def test_a_clock_that_was_wrong_by_a_year_does_not_stop_a_schedule(tmp_path):
    async with ticking(tmp_path, "2027-06-01T11:30") as world:
        await world.clock.advance(HOUR)
        world.clock.jump(-365 * DAY - HOUR)
        await world.clock.advance(HOUR)
        assert world.runs.times == [moment("2027-06-01T12:00"), moment("2026-06-01T12:00")]
        assert any("the clock was wrong then" in line for line in world.said)


async def test_a_changed_cron_counts_from_now(tmp_path):
    async with ticking(tmp_path, "2026-06-01T00:30", definition(cron="15 1 * * *")) as world:
        await world.clock.advance(11.5 * HOUR)
        assert world.runs.times == [moment("2026-06-01T01:15")]
        world.defines(definition(cron="15 2 * * *"))
        world.ticker.wake()
        await world.clock.advance(14 * HOUR)
        assert len(world.runs.all) == 1
        await world.clock.advance(0.5 * HOUR)
        assert world.runs.times[1:] == [moment("2026-06-02T02:15")]


async def test_another_way_to_write_the_same_times_is_no_change(tmp_path):
    async with ticking(tmp_path, "2026-06-01T00:30", definition(cron="0 0 * * *")) as world:
        await world.end()
        world.defines(definition(cron="@daily"))
        world.clock.jump(DAY)
        await world.begin()
        assert await outcomes(world) == [("run", [1])]


async def test_off_outlives_the_daemon_and_on_counts_from_now(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        await world.ticker.switch(PLACE, enabled=False)
        await world.end()
        await world.begin()
        await world.clock.advance(5 * HOUR)
        assert world.table.times.of(PLACE) is None
        await world.ticker.switch(PLACE, enabled=True)
        await world.clock.advance(HOUR)
        assert world.runs.times == [moment("2026-06-01T17:00")]


async def test_a_schedule_that_is_off_in_its_code_can_be_switched_on(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30", definition(enabled=False)) as world:
        await world.clock.advance(HOUR)
        assert not world.runs.all
        await world.ticker.switch(PLACE, enabled=True)
        await world.clock.advance(HOUR)
        assert world.runs.times == [moment("2026-06-01T13:00")]


async def test_one_tick_waits_for_the_run_before_and_others_are_skipped(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.runs.end_at_once = False
        await world.clock.advance(3 * HOUR)
        rows = await world.rows()
        assert [each.state for each in rows] == ["run", "waiting", "skipped"]
        assert rows[2].why == "run 1 still running"
        world.runs.finish(1)
        while 2 not in world.runs.all:
            await world.rows()
        assert world.runs.times == [moment("2026-06-01T12:00"), moment("2026-06-01T13:00")]


async def test_what_waits_is_skipped_when_its_schedule_is_switched_off(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.runs.end_at_once = False
        await world.clock.advance(2 * HOUR)
        await world.ticker.switch(PLACE, enabled=False)
        assert [each.state for each in await world.rows()] == ["run", "skipped"]


async def test_the_next_daemon_carries_out_what_has_a_row_and_no_run(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.holds.clear()
        await world.clock.advance(2 * HOUR)
        assert [each.state for each in await world.rows()] == ["due", "waiting"]
        await world.end()
        world.holds.set()
        await world.begin()
        while len(world.runs.all) < 2:
            await world.rows()
        assert world.evaluated == [moment("2026-06-01T12:00")] * 2 + [moment("2026-06-01T13:00")]


async def test_the_run_of_an_earlier_daemon_is_still_waited_for(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.runs.end_at_once = False
        await world.clock.advance(HOUR)
        await world.rows()
        await world.end()
        await world.begin()
        await world.clock.advance(HOUR)
        assert [each.state for each in await world.rows()] == ["run", "waiting"]


async def test_nothing_ticks_while_nothing_is_served_and_then_the_latest_does(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.served = False
        await world.clock.advance(3 * HOUR)
        assert await world.rows() == []
        world.served = True
        world.ticker.wake()
        await world.clock.advance(2)
        assert await outcomes(world) == [("missed", 2), ("run", [1])]


async def test_definitions_that_vanish_keep_how_far_they_were(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.defines()
        world.ticker.wake()
        await world.clock.advance(2 * HOUR + 10)
        assert world.table.schedules == {}
        world.defines(definition())
        world.ticker.wake()
        await world.clock.advance(2)
        assert await outcomes(world) == [("missed", 1), ("run", [1])]


async def test_what_a_function_returns_is_what_becomes_of_its_tick(tmp_path):
    answers = [
        Answer(skipped="nothing came"),
        Answer(summary="KeyError: 'day'"),
        Answer((Asked({"day": "x"}, {"a": "b"}, "k1"), Asked(key="k2"), Asked(key="k1"))),
    ]
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.answer = lambda _tick: answers.pop(0)
        await world.clock.advance(3 * HOUR)
        rows = await world.rows()
        assert [(each.state, each.why) for each in rows] == [
            ("skipped", "nothing came"),
            ("failed", "KeyError: 'day'"),
            ("run", None),
        ]
        assert rows[2].runs == (1, 2)
        assert world.runs.all[1].wish.params == {"day": "x"}
        assert world.runs.all[1].wish.key == "schedule __repository__/nightly: k1"


async def test_failures_in_a_row_are_one_line_of_the_log(tmp_path):
    no, yes = Answer(summary="KeyError: 'day'"), Answer((Asked(),))
    answers = [no, Answer(summary="another"), yes, no, Answer(skipped="nothing"), no]
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.answer = lambda _tick: answers.pop(0)
        for _ in range(6):
            await world.clock.advance(HOUR)
            await world.rows()
        assert [each.state for each in await world.rows()].count("failed") == 4
        told = "a tick of sales/__repository__/nightly failed: KeyError: 'day'"
        assert world.said == [told] * 3


async def test_nothing_starts_that_could_not_be_written_down(tmp_path, monkeypatch):
    def full(*_given):
        refused = Future[list[Tick]]()
        refused.set_exception(BookProblem("the disk is full"))
        return refused

    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        with monkeypatch.context() as patched:
            patched.setattr(world.book, "write", full)
            await world.clock.advance(2 * HOUR)
        assert (await world.rows(), world.runs.times) == ([], [])
        assert world.said == ["no schedule ticks: the disk is full"]
        await world.clock.advance(60)
        assert await outcomes(world) == [("missed", 1), ("run", [1])]


async def test_a_tick_whose_run_is_refused_is_carried_out_again(tmp_path, monkeypatch):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        fails = [BookProblem("the disk is full"), KeyError("x")]
        submit = world.runs.submit

        async def refused(wish):
            if fails:
                raise fails.pop(0)
            return await submit(wish)

        monkeypatch.setattr(world.runs, "submit", refused)
        await world.clock.advance(HOUR + 180)
        assert await outcomes(world) == [("run", [1])]
        assert [line.rpartition(": ")[2] for line in world.said] == [
            "the disk is full",
            "KeyError('x')",
        ]


async def test_a_row_that_cannot_be_read_is_left_out(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        await world.clock.advance(2 * HOUR)
        await world.rows()
        await world.end()
        connection = sqlite3.connect(tmp_path / "book.sqlite")
        with connection:
            connection.execute("UPDATE ticks SET runs = '7' WHERE id = 1")
            connection.execute("UPDATE ticks SET runs = '[' WHERE id = 2")
        connection.close()
        await world.begin()
        await world.clock.advance(HOUR)
        assert await outcomes(world) == [("run", [3])]


async def test_schedules_of_other_programs_are_left_alone(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        world.ours = False
        world.ticker.wake()
        await world.clock.advance(3 * HOUR)
        assert world.table.schedules == {}
        assert not world.runs.all


async def test_old_rows_go_and_the_newest_of_a_schedule_stays(tmp_path):
    async with ticking(tmp_path, "2026-06-01T11:30") as world:
        await world.clock.advance(2 * HOUR)
        await world.ticker.switch(PLACE, enabled=False)
        world.clock.jump(32 * DAY)
        await world.clock.advance(60)
        assert [each.runs for each in await world.rows()] == [(2,)]
        world.defines()
        world.ticker.wake()
        await world.clock.advance(60)
        world.clock.jump(32 * DAY)
        await world.clock.advance(60)
        assert await world.rows() == []


@pytest.mark.parametrize("turns", range(5))
async def test_a_wait_that_is_over_as_it_is_cancelled_is_cancelled_all_the_same(turns):
    """Else a ticker that is woken as it is closed would wait again, and the daemon for it."""
    woken, goes_on = asyncio.Event(), []

    async def looks():
        await WallClock().wait(woken, 600.0)
        goes_on.append(True)
        await asyncio.sleep(600.0)

    task = asyncio.get_running_loop().create_task(looks())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    woken.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=10.0)
    assert (done, task.cancelled()) == ({task}, True), goes_on
