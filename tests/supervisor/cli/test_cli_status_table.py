"""The table of locations on screens of many sizes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import pytest

from codelocd.render.status import failed, page, status
from codelocd.render.text import PLAIN, Screen, columns
from tests.supervisor.cli.fake_control import DAEMON, LOCATION, PROBLEM

if TYPE_CHECKING:
    from codelocd.documents.locations import DaemonStatus, LocationStatus, StatusDocument

FAILED = {"state": "failed", "pid": None, "uptime": None, "memory": None, "problem": PROBLEM}
MISTAKE = "/shop/codelocd.toml:3: location.sales.pyton: unknown key; " + "x" * 200


def location(name: str, **changes: Any) -> LocationStatus:
    return cast("LocationStatus", {**LOCATION, "name": name, **changes})


def document(*locations: LocationStatus, **daemon: Any) -> StatusDocument:
    about = cast("DaemonStatus", {**DAEMON, **daemon})
    return {"schema": 1, "daemon": about, "locations": list(locations)}


def many(count: int) -> list[LocationStatus]:
    return [location(f"location-{n}") for n in range(count)]


MIXED = document(
    location("fine"),
    location("orders_and_customers_of_europe", **FAILED),
    location("売上の場所と在庫の場所", stale=True, reloading="starting", problem=PROBLEM),
    location("new", state="building", uptime=None),
)


def test_eighty_columns_keep_what_matters_most() -> None:
    assert status(MIXED, Screen(width=80)).splitlines() == [
        "NAME              STATE             UPTIME  MEMORY  PROBLEM",
        "orders_and_cust…  failed                 -       -  load: SyntaxError: invalid …",
        "売上の場所と在…   serving, stale,…  1m 15s  30 MiB  load: SyntaxError: invalid …",
        "new               building               -  30 MiB  -",
        "fine              serving           1m 15s  30 MiB  -",
    ]


def test_sixty_columns_keep_name_state_and_problem() -> None:
    first, second, *_ = status(MIXED, Screen(width=60)).splitlines()
    assert first.split() == ["NAME", "STATE", "PROBLEM"]
    assert second.startswith("orders_and_c")
    assert "failed" in second
    assert "load: SyntaxError" in second


def test_where_nothing_is_wrong_its_column_makes_room_for_others() -> None:
    (titles, _) = status(document(location("fine")), Screen(width=60)).splitlines()
    assert titles.split() == ["NAME", "STATE", "UPTIME", "RESTARTS", "DEFINITIONS", "MEMORY", "CPU"]


def test_without_an_edge_nothing_is_left_out() -> None:
    lines = status(MIXED, PLAIN).splitlines()
    assert lines[0].split()[-1] == "PROBLEM"
    assert len(lines[0].split()) == 11
    assert "orders_and_customers_of_europe" in lines[1]
    assert lines[1].endswith(f"load: {PROBLEM['summary']}")


@pytest.mark.parametrize("width", [5, 10, 40, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    random.seed(width)
    names = ["sales", "売上" * 20, "a" * 100, "e\N{COMBINING ACUTE ACCENT}" * 40, "👩‍💻" * 30]
    states: list[dict[str, Any]] = [
        {},
        FAILED,
        {"stale": True, "problem": PROBLEM},
        {"state": "backoff"},
    ]
    rows = [location(random.choice(names), **random.choice(states)) for _ in range(20)]
    lines = status(document(*rows), Screen(width=width)).splitlines()
    assert len(lines) == 21
    assert max(map(columns, lines)) <= width


def test_those_that_failed_are_shown_alone_or_said_to_be_none() -> None:
    names = [line.split()[0] for line in failed(MIXED, PLAIN).splitlines()]
    assert names == ["NAME", "orders_and_customers_of_europe", "売上の場所と在庫の場所", "new"]
    assert failed(document(*many(3)), PLAIN) == "none failed: 3 locations: 3 serving"


def test_a_page_has_a_header_and_what_fits_in_no_row_of_its_own_side_by_side() -> None:
    screen = Screen(width=80, height=30)
    lines = page(document(*many(30)), "12:00:00", screen).splitlines()
    counted = "codelocd 12:00:00  30 locations: 30 serving"
    assert lines[0] == f"{counted}  CPU 900%, memory 900 MiB"
    wide = page(document(*many(30)), "12:00:00", Screen(width=200, height=30)).splitlines()
    assert wide[0] == f"{counted}  CPU 900%, memory 900 MiB, 30 restarts"
    assert len(lines) == 30
    assert lines[-2].split("  ") == [f"location-{n} serving 1m 15s" for n in (26, 27)]
    assert lines[-1].split("  ") == [f"location-{n} serving 1m 15s" for n in (28, 29)]
    everything = page(document(*many(28)), "12:00:00", screen).splitlines()
    assert (len(everything), everything[-1].split()[0]) == (30, "location-27")


def test_a_page_keeps_trouble_and_what_is_below_it_in_sight() -> None:
    config = {"state": "invalid", "problem": MISTAKE, "file": "/shop/codelocd.toml"}
    around = {"dagster": {"url": "http://127.0.0.1:3000"}, "config": config}
    rows = [*many(40), location("broken", **FAILED)]
    lines = page(document(*rows, **around), "12:00:00", Screen(width=60, height=20)).splitlines()
    assert len(lines) == 20
    assert lines[0] == "codelocd 12:00:00  41 locations: 40 serving, 1 failed"
    assert lines[2].startswith("broken")
    assert lines[-5].startswith("+28 more: location-12, ")
    assert lines[-4] == "Dagster's UI: http://127.0.0.1:3000"
    assert lines[-3] == "config not applied: codelocd.toml:3: location.sales.pyton:"
    assert lines[-2].startswith("  unknown key; xxx")
    assert lines[-1].endswith("x…")
    assert max(map(columns, lines)) <= 60


@pytest.mark.parametrize(("width", "lines"), [(200, 1), (80, 2), (60, 2), (40, 3)])
def test_place_and_reason_of_a_config_that_is_not_applied_are_on_each_page(
    width: int, lines: int
) -> None:
    mistake = '/home/ann/shop/codelocd.toml:3: location.sales.pyton: unknown key; did you mean "p"?'
    config = {"state": "invalid", "problem": mistake, "file": "/home/ann/shop/codelocd.toml"}
    found = document(location("fine"), config=config)
    told = page(found, "12:00:00", Screen(width=width, height=24)).splitlines()[3:]
    assert len(told) == lines
    joined = " ".join(line.strip() for line in told)
    folder = "/home/ann/shop/" if width == 200 else ""
    assert joined == "config not applied: " + mistake.replace("/home/ann/shop/", folder)


def test_a_stopped_location_says_who_stopped_it_and_what_starts_it() -> None:
    stopped = {"state": "stopped", "wanted": False, "uptime": None, "pid": None}
    by_hand, strange = location("sales", **stopped), location("my code.py", **stopped)
    lines = status(document(location("fine"), by_hand, strange), Screen(width=60)).splitlines()
    assert "codelocd start sales starts" in lines[2]
    whole = status(document(by_hand, strange), PLAIN).splitlines()
    assert whole[2].endswith("codelocd start 'my code.py' starts it, codelocd stop stopped it")


def test_thirty_locations_fit_on_eighty_columns_and_thirty_lines_with_all_that_is_around() -> None:
    mistakes = "\n".join([MISTAKE] * 12)
    config = {"state": "invalid", "problem": mistakes, "file": "/shop/codelocd.toml"}
    around = {"dagster": {"url": "http://127.0.0.1:3000"}, "config": config}
    rows = [location("x" * 60), *many(25), *(location(f"broken-{n}", **FAILED) for n in range(4))]
    lines = page(document(*rows, **around), "12:00:00", Screen(width=80, height=30)).splitlines()
    assert len(lines) <= 30
    assert max(map(columns, lines)) <= 80
    assert [line.split()[1] for line in lines[2:6]] == ["failed"] * 4
    text = " ".join(lines)
    assert all(f"location-{n} " in text for n in range(25))
    assert lines[-5] == "Dagster's UI: http://127.0.0.1:3000"
    assert lines[-4].startswith("config not applied: codelocd.toml:3: location.sales.pyton: unkn")
    assert lines[-1] == "and 11 more: codelocd config validate"
    nearly_all = page(document(*many(90)), "12:00:00", Screen(width=80, height=30)).splitlines()
    assert len(nearly_all) == 30
    assert nearly_all[-1].startswith("+")


@pytest.mark.parametrize("height", [1, 2, 3, 4])
def test_a_page_on_a_tiny_screen_still_has_its_header(height: int) -> None:
    lines = page(document(*many(30)), "12:00:00", Screen(width=40, height=height)).splitlines()
    assert lines[0].startswith("codelocd 12:00:00  30 locations")
