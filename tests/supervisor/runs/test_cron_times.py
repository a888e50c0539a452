"""When a cron expression is due: tables by hand, and one minute after the other by the rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from codeloc.times import FIELDS, MACROS, cron_problem
from codelocd.runs import cron
from codelocd.runs.cron import Cron, UnfitCron

MINUTE, HOUR, DAY = 60, 3600, 86400
FINER = {DAY: HOUR, HOUR: MINUTE}


def moment(text: str) -> float:
    return datetime.fromisoformat(f"{text}:00+00:00").timestamp()


def shown(times: list[float]) -> list[str]:
    return [datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%dT%H:%M") for each in times]


def between(expression: str, zone: str, start: float, end: float) -> list[float]:
    found = []
    for time in Cron.of(expression).after(start, ZoneInfo(zone)):
        if time > end:
            break
        found.append(time)
    return found


TABLES = [
    # Berlin: clocks go from 02:00 to 03:00 at 01:00Z, and from 03:00 to 02:00 at 01:00Z.
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", "03-29T01:00 03-30T00:30"),
    ("Europe/Berlin", "15,45 2 * * *", "2026-03-28T12:00", "03-29T01:00 03-30T00:15 03-30T00:45"),
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "10-25T00:30 10-26T01:30"),
    ("Europe/Berlin", "30 1-3 * * *", "2026-10-24T12:00", "10-24T23:30 10-25T00:30 10-25T02:30"),
    ("Europe/Berlin", "0 * * * *", "2026-10-24T23:30", "10-25T00:00 10-25T01:00 10-25T02:00"),
    ("Europe/Berlin", "0 * * * *", "2026-03-28T23:30", "03-29T00:00 03-29T01:00 03-29T02:00"),
    ("Europe/Berlin", "*/30 2 * * *", "2026-10-24T12:00",
     "10-25T00:00 10-25T00:30 10-25T01:00 10-25T01:30 10-26T01:00"),
    # New York: forward on 8 March at 07:00Z, back on 1 November at 06:00Z.
    ("America/New_York", "30 2 * * *", "2026-03-07T00:00", "03-07T07:30 03-08T07:00 03-09T06:30"),
    ("America/New_York", "30 1 * * *", "2026-10-31T00:00", "10-31T05:30 11-01T05:30 11-02T06:30"),
    ("America/New_York", "*/30 1 * * *", "2026-11-01T00:00",
     "11-01T05:00 11-01T05:30 11-01T06:00 11-01T06:30 11-02T06:00"),
    ("America/New_York", "0 9 * * mon-fri", "2026-03-06T00:00", "03-06T14:00 03-09T13:00"),
    # Lord Howe: by half an hour, back on 4 April at 15:00Z, forward on 3 October at 15:30Z.
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-03T12:00",
     "04-03T14:45 04-04T14:45 04-05T15:15"),
    ("Australia/Lord_Howe", "0 * * * *", "2026-04-04T13:30", "04-04T14:00 04-04T15:30 04-04T16:30"),
    ("Australia/Lord_Howe", "*/15 1 * * *", "2026-04-04T13:30",
     "04-04T14:00 04-04T14:15 04-04T14:30 04-04T14:45 04-04T15:00 04-04T15:15 04-05T14:30"),
    ("Australia/Lord_Howe", "*/15 3 * * *", "2026-04-04T13:30", "04-04T16:30 04-04T16:45"),
    ("Australia/Lord_Howe", "15 2 * * *", "2026-10-02T12:00",
     "10-02T15:45 10-03T15:30 10-04T15:15"),
    # Kolkata: half an hour off the others, and never changed.
    ("Asia/Kolkata", "0 6 * * *", "2026-03-28T12:00", "03-29T00:30 03-30T00:30"),
    ("Asia/Kolkata", "30 5 * * sun", "2026-03-28T12:00", "03-29T00:00 04-05T00:00"),
    # Apia had no 30 December 2011: after the 29th, at 10:00Z, came the 31st.
    ("Pacific/Apia", "0 6 * * *", "2011-12-29T00:00", "12-29T16:00 12-30T10:00 12-30T16:00"),
    ("Pacific/Apia", "0 12 30 * *", "2011-12-01T00:00", "12-30T10:00 2012-01-29T22:00"),
    ("Pacific/Apia", "0 */12 * * *", "2011-12-29T00:00", "12-29T10:00 12-29T22:00 12-30T10:00"),
    # Casablanca: back for Ramadan on 15 February at 02:00Z, forward on 22 March at 02:00Z.
    ("Africa/Casablanca", "30 2 * * *", "2026-02-14T00:00", "02-14T01:30 02-15T01:30 02-16T02:30"),
    ("Africa/Casablanca", "30 2 * * *", "2026-03-21T00:00", "03-21T02:30 03-22T02:00 03-23T01:30"),
    ("Africa/Casablanca", "0 * * * *", "2026-02-15T00:30", "02-15T01:00 02-15T02:00 02-15T03:00"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "expression", "start", "expected"), TABLES)
def test_a_table_by_hand(zone, expression, start, expected):
    times = Cron.of(expression).after(moment(start), ZoneInfo(zone))
    wanted = [each if len(each) > 11 else f"{start[:5]}{each}" for each in expected.split()]
    assert shown([next(times) for _ in wanted]) == wanted


@pytest.mark.parametrize(
    ("expression", "canonical"),
    [
        ("*/15 * * * *", "*/15 * * * *"),
        ("5/20 0 1 jan *", "5,25,45 0 1 1 *"),
        ("0 6 * * fri-sun", "0 6 * * 5,6,7"),
        ("0 6 * * MON,Wed", "0 6 * * 1,3"),
        ("*/30,7 2-6/2 * * *", "*/30,7 2,4,6 * * *"),
        ("@daily", "0 0 * * *"),
    ],
)
def test_the_canonical_text(expression, canonical):
    assert Cron.of(expression).text == canonical


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "0 0 L * *", "0 0 * * 1#2", "0 0 * * * *", "60 * * * *",
                   "*" * 2000, "0 0 30 2 *", "*/0 * * * *", "9-1 * * * *", "@never", "a b c d e"]
)  # fmt: skip
def test_what_codeloc_refuses_is_refused(expression):
    assert cron_problem(expression) is not None
    with pytest.raises(UnfitCron):
        Cron.of(expression)


def test_utc_needs_no_database(monkeypatch):
    monkeypatch.setattr(cron, "ZoneInfo", None)
    assert cron.zone_of("UTC") is cron.zone_of("Etc/UTC") is UTC


# --- by the rules, minute by minute ------------------------------------------------------------

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
    "Africa/Casablanca", "America/Havana", "Africa/Cairo", "America/Santiago", "Asia/Gaza",
    "Europe/Dublin", "Asia/Tehran", "Pacific/Chatham", "America/St_Johns", "UTC",
)  # fmt: skip
FIRST, LAST = moment("2006-01-01T00:00"), moment("2026-12-31T00:00")


def changes(clocks: ZoneInfo, times: range) -> Iterator[float]:
    """To the minute, those between two of `times`: days, and where they differ, hours."""
    for at in times:
        if ahead(clocks, at) != ahead(clocks, at + times.step):
            if times.step == MINUTE:
                yield float(at + MINUTE)
            else:
                yield from changes(clocks, range(at, at + times.step, FINER[times.step]))


def ahead(clocks: ZoneInfo, at: float) -> timedelta | None:
    return datetime.fromtimestamp(at, clocks).utcoffset()


@cache
def changes_of(zone: str) -> list[float]:
    """Those of 20 years, and Apia's of 2011."""
    days = range(int(FIRST), int(LAST), DAY)
    return list(changes(ZoneInfo(zone), days)) or [moment("2026-03-29T00:00")]


def by_the_rules(expression: str, zone: str, start: float, end: float) -> Iterator[float]:
    """What is due after `start`, by the gate of `codeloc` and Debian's manual."""
    texts = MACROS.get(expression, expression).split()
    minutes, hours, days, months, weekdays = (
        field.values(text) for field, text in zip(FIELDS, texts, strict=True)
    )
    both = texts[2].startswith("*") or texts[4].startswith("*")
    is_real_time = texts[0].startswith("*") or texts[1].startswith("*")

    def fits(wall: datetime) -> bool:
        if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
            return False
        weekday = wall.isoweekday()
        of_month, of_week = wall.day in days, weekday in weekdays or weekday % 7 in weekdays
        return (of_month and of_week) if both else (of_month or of_week)

    clocks = ZoneInfo(zone)
    before = datetime.fromtimestamp(start, clocks).replace(tzinfo=None)
    for now in range(int(start) + MINUTE, int(end) + 1, MINUTE):
        wall = datetime.fromtimestamp(now, clocks)
        plain = wall.replace(tzinfo=None, fold=0)
        left_out = max(0, int((plain - before) / timedelta(minutes=1)) - 1)
        gap = (before + timedelta(minutes=each + 1) for each in range(left_out))
        is_first = is_real_time or wall.fold == 0
        if (fits(plain) and is_first) or (not is_real_time and any(map(fits, gap))):
            yield float(now)
        before = plain


def fields() -> st.SearchStrategy[str]:
    def field(low: int, high: int, stars: list[str]) -> st.SearchStrategy[str]:
        number = st.integers(low, high)
        span = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
        stepped = st.tuples(span, st.integers(1, 5)).map(lambda two: f"{two[0]}/{two[1]}")
        listed = st.lists(number, min_size=1, max_size=3).map(lambda many: ",".join(map(str, many)))
        return st.one_of(st.sampled_from(stars), listed, span, stepped)

    any_day = st.sampled_from(["*", "*", "*/2", "1,15", "25-31", "fri-sun", "0"])
    return st.tuples(
        field(0, 59, ["*", "*/15", "*/7", "0", "30"]),
        field(0, 6, ["*", "*/2", "*/5", "2", "0"]),
        st.sampled_from(["*", "*", "*", "*/2", "25-31", "1,29"]),
        st.sampled_from(["*", "*", "3-4,9-12", "*/5"]),
        any_day.filter(lambda text: text not in ("1,15", "25-31")),
    ).map(" ".join)


@st.composite
def situations(draw, zones: tuple[str, ...] = ZONES) -> tuple[str, str, float]:
    zone = draw(st.sampled_from(zones))
    return draw(fields()), zone, draw(st.sampled_from(changes_of(zone)))


@settings(deadline=None, max_examples=60)
@given(situations())
@example(("* */2 1,29 3-4,9-12 fri-sun", "America/St_Johns", moment("2007-11-04T02:31")))
@example(("*/5 3 * * *", "Australia/Lord_Howe", moment("2026-04-04T15:00")))
def test_each_minute_around_a_change_is_due_by_the_rules(situation):
    expression, zone, change = situation
    assume(cron_problem(expression) is None)
    start, end = change - 30 * HOUR, change + 30 * HOUR
    expected = list(by_the_rules(expression, zone, start, end))
    assert shown(between(expression, zone, start, end)) == shown(expected)


WHOLE_HOURS = ("Europe/Berlin", "America/New_York", "Africa/Casablanca", "Asia/Kolkata", "UTC")


@settings(deadline=None, max_examples=40)
@given(situations(WHOLE_HOURS))
def test_cronsim_agrees_where_clocks_are_changed_by_whole_hours(situation):
    """Elsewhere its own way over a change leaves ticks out, or never ends."""
    expression, zone, change = situation
    assume(cron_problem(expression) is None)
    start, end = change - 30 * HOUR, change + 30 * HOUR
    expected = list[float]()
    for each in CronSim(Cron.of(expression).text, datetime.fromtimestamp(start, ZoneInfo(zone))):
        if each.timestamp() > end:
            break
        expected.append(each.timestamp())
    assert shown(between(expression, zone, start, end)) == shown(expected)


@pytest.mark.parametrize(
    ("zone", "expression", "change"),
    [
        ("Europe/Berlin", "45 2 * * *", "2026-10-25T01:00"),
        ("Europe/Berlin", "15,45 2 * * *", "2026-03-29T01:00"),
        ("Australia/Lord_Howe", "*/5 3 * * *", "2026-04-04T15:00"),
        ("Pacific/Apia", "0 6 * * *", "2011-12-30T10:00"),
    ],
)
def test_the_same_ticks_from_any_starting_minute(zone, expression, change):
    start, end = moment(change) - 30 * HOUR, moment(change) + 30 * HOUR
    expected = list(by_the_rules(expression, zone, start, end))
    for begin in range(int(start), int(end), MINUTE):
        later = [each for each in expected if each > begin]
        times = Cron.of(expression).after(begin + 0.4, ZoneInfo(zone))
        if later:
            assert next(times) == later[0], shown([begin, later[0]])
