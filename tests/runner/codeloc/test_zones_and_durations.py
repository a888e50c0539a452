"""Time zones and durations, as text that people write."""

from __future__ import annotations

import sys
import zoneinfo
from datetime import datetime

import pytest

from codeloc import times
from codeloc.quantities import duration_in_seconds
from codeloc.times import NAMES


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+3"])
def test_an_iana_name_is_a_time_zone(name: str) -> None:
    assert times.timezone_problem(name) is None


def test_every_time_zone_that_the_machine_knows_is_one() -> None:
    known = zoneinfo.available_timezones()

    assert known
    assert [name for name in known if times.timezone_problem(name)] == []


def test_a_listed_time_zone_is_real_where_the_machine_has_it() -> None:
    both = NAMES & zoneinfo.available_timezones()

    assert len(both) > 500
    assert all(datetime.now(zoneinfo.ZoneInfo(name)).tzinfo for name in both)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", '; did you mean "Europe/Berlin"?'),
        ("europe/berlin", '; did you mean "Europe/Berlin"?'),
        ("../UTC", '; did you mean "UTC"?'),
        ("MEZ+01:00", ""),
        ("", ""),
        ("/etc/passwd", ""),
        ("a\0b", ""),
    ],
)
def test_anything_else_is_refused_with_the_nearest_name(name: str, hint: str) -> None:
    assert times.timezone_problem(name) == f"{name!r} is not an IANA time zone{hint}"


def test_a_zone_newer_than_the_list_is_taken_from_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: {"Mars/Olympus"})

    assert times.timezone_problem("Mars/Olympus") is None


def test_without_zoneinfo_the_list_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zoneinfo", None)

    assert times.timezone_problem("Europe/Berlin") is None
    assert times.timezone_problem("Mars/Olympus") == "'Mars/Olympus' is not an IANA time zone"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("1.5s", 1.5),
        (" 5min ", 300),
        ("5 m", 300),
        ("2h", 7200),
        ("1d", 86400),
        (10, 10),
        (0.25, 0.25),
        ("36500d", 36500 * 86400),
    ],
)
def test_a_duration_is_so_many_seconds(value: str | float, seconds: float) -> None:
    assert duration_in_seconds(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "30", "s", "30S", "1h30m", "-1s", "0s", "nan", "inf", "infs", "1e999s"),
        *(0, -1, float("nan"), float("inf"), 1e300, 10**400, "36501d", "1e300s"),
    ],
)
def test_what_is_not_finite_or_positive_or_has_no_unit_is_no_duration(value: str | float) -> None:
    assert duration_in_seconds(value) is None
