"""What is due of a schedule, what of the missed is made up, and what becomes of each tick."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from codelocd.runs.catch_up import due
from codelocd.runs.cron import Cron
from codelocd.runs.ticks import (
    DueTimes,
    Schedule,
    SchedulePlace,
    UnfitSchedule,
    coming,
    delay_of,
    judged,
)
from tests.supervisor.runs.ticking import PLACE, definition, moment

START, END = moment("2026-06-01T12:00"), moment("2026-06-04T12:30")
HOUR = 3600


def schedule(**more) -> Schedule:
    return Schedule.of({"location": "sales", **definition(**more)}, ZoneInfo)


@pytest.mark.parametrize(
    ("catch_up", "run", "left_out"), [("latest", 1, 71), ("none", 0, 72), ("all", 72, 0)]
)
def test_three_days_without_a_daemon(catch_up, run, left_out):
    hourly = schedule(catch_up=catch_up)
    found = due(hourly, START, END)
    assert (len(found.times), found.left_out, found.cursor) == (run, left_out, END - 1800)
    assert found.times == tuple(END - 1800 - HOUR * each for each in range(run))[::-1]
    rows = found.missed(hourly)
    assert [(each.state, each.count) for each in rows] == [("missed", left_out)] * bool(left_out)


@pytest.mark.parametrize("catch_up", ["latest", "none"])
def test_a_tick_of_this_minute_is_not_missed(catch_up):
    found = due(schedule(catch_up=catch_up), START, moment("2026-06-04T12:00:59"))
    assert found.times == (moment("2026-06-04T12:00"),)
    assert (found.late, found.left_out) == (0, 71)
    assert found.newest_left_out == moment("2026-06-04T11:00")


def test_at_most_a_hundred_are_made_up_and_the_rest_is_told():
    each_minute = schedule(catch_up="all", cron="* * * * *")
    found = due(each_minute, START, START + 250 * 60 + 70)
    assert (len(found.times), found.late, found.left_out) == (101, 100, 150)
    (row,) = found.missed(each_minute)
    assert (row.count, row.why) == (150, "only the last 100 are made up")
    assert row.scheduled_for == START + 150 * 60


def test_nothing_repeats_when_the_clock_goes_back():
    assert due(schedule(), END, START).times == ()


def test_the_delay_is_the_same_for_ever_and_another_for_each_schedule():
    delays = {delay_of(SchedulePlace("l", "r", str(each)), 300.0) for each in range(1000)}
    assert min(delays) >= 0
    assert max(delays) < 300
    assert len(delays) > 250
    assert delay_of(PLACE, 300.0) == delay_of(PLACE, 300.0) == 154.0
    assert delay_of(PLACE, 0.0) == 0.0


def test_a_delayed_tick_is_for_its_own_time():
    delayed = schedule(jitter=300.0)
    first = moment("2026-06-01T13:00")
    assert coming([delayed], {PLACE: START}) == {PLACE: first + 154}
    assert due(delayed, START, first + 153).times == ()
    assert due(delayed, START, first + 154).times == (first,)


def test_what_many_share_is_found_out_once(monkeypatch):
    rules = [("0 6 * * *", "UTC"), ("0 6 * * *", "Asia/Kolkata"), ("30 6 * * *", "UTC")]
    many = [
        schedule(name=f"s{number}", cron=cron, timezone=zone, jitter=60.0)
        for number in range(20)
        for cron, zone in rules
    ]
    many = [replace(each, place=SchedulePlace("l", "r", str(n))) for n, each in enumerate(many)]
    cursors = {each.place: START + HOUR * (n % 2) for n, each in enumerate(many)}
    alone = {each.place: coming([each], cursors)[each.place] for each in many}
    asked, after = list[Cron](), Cron.after

    def counted(cron, *given):
        asked.append(cron)
        return after(cron, *given)

    monkeypatch.setattr(Cron, "after", counted)
    assert coming(many, cursors) == alone
    assert len(asked) == 2 * len(rules)


def test_at_most_one_tick_waits_and_all_that_are_made_up():
    usual, made_up, apart = schedule(), schedule(catch_up="all"), schedule(overlap="allow")
    running = "run 17 still running"

    def states(*given):
        return [each.state for each in judged(*given)]

    assert states(usual, [1], 0, None, 0) == ["due"]
    assert states(usual, [1, 2, 3], 0, None, 0) == ["due", "waiting", "skipped"]
    assert states(usual, [1, 2], 0, running, 0) == ["waiting", "skipped"]
    assert [each.why for each in judged(usual, [1], 0, running, 1)] == [running]
    assert states(made_up, [1, 2, 3], 3, None, 0) == ["due", "waiting", "waiting"]
    assert states(made_up, [1, 2, 3], 2, running, 0) == ["waiting", "waiting", "waiting"]
    assert states(made_up, [4], 0, running, 3) == ["skipped"]
    assert states(apart, [1, 2], 0, running, 0) == ["due", "due"]


def test_the_first_moment_of_many():
    times = DueTimes()
    places = [SchedulePlace("l", "r", str(each)) for each in range(5)]
    for number, place in enumerate(places):
        times.put(place, 10.0 * number)
    times.put(places[0], 100.0)
    times.put(places[1], None)
    assert times.first() == 20.0
    assert times.take(30.0) == places[2:4]
    assert times.of(places[2]) is None
    assert times.take(1000.0) == [places[4], places[0]]
    assert times.first() is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"timezone": "Mars/Olympus"}, "knows no time zone 'Mars/Olympus': install tzdata"),
        ({"timezone": "../../etc/passwd"}, "cannot be read"),
        ({"cron": "0 0 L * *"}, "no value in a cron expression"),
        ({"cron": None}, "cannot be read"),
        ({"jitter": "soon"}, "cannot be read"),
        ({"jitter": 1e300}, "a jitter of 1e\\+300 s is no duration"),
        ({"jitter": float("nan")}, "no duration"),
    ],
)
def test_what_cannot_tick_says_why(more, says):
    with pytest.raises(UnfitSchedule, match=says):
        schedule(**more)
