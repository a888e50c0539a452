"""A sensor as text: in the list, and in full."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from codelocd.documents.schedules import ScheduleDocument
from codelocd.render.schedules import schedule, schedules
from codelocd.render.text import Screen

PLAIN = Screen()


def sensor(**others: Any) -> ScheduleDocument:
    document: Any = {
        "location": "sales",
        "repository": "__repository__",
        "name": "on_new_file",
        "kind": "sensor",
        "cron": None,
        "timezone": None,
        "minimum_interval": 30.0,
        "job": "refresh",
        "enabled": True,
        "ticks": True,
        "why": None,
        "next": 1700000030.0,
        "last": None,
        "missed": 0,
        "cursor": None,
        "failures": 0,
    }
    document.update(others)
    found: ScheduleDocument = document
    return found


def look(state: str, **others: Any) -> dict[str, Any]:
    base = {"at": 1700000000.0, "scheduled_for": None, "run": None, "why": None}
    return {**base, "state": state, **others}


def test_in_the_list_it_says_how_often_it_is_asked() -> None:
    skipped = sensor(last=look("skipped", why="nothing new"))
    (_, row) = schedules({"schedules": [skipped]}, 1700000010.0, PLAIN).splitlines()
    assert row.split() == ["sales/on_new_file", "every", "30s", "-", "in", "20s", "skipped", "on"]


def test_how_often_is_told_without_what_is_nought() -> None:
    told = {2.0: "2s", 2.5: "2.5s", 30.0: "30s", 60.0: "1m", 90.0: "1m 30s", 7200.0: "2h"}
    for seconds, words in told.items():
        shown = schedule(sensor(minimum_interval=seconds), UTC, PLAIN)
        assert f"  asked   every {words}\n" in shown


def test_in_full_it_says_what_came_of_it() -> None:
    failed = sensor(last=look("failed", why="ValueError: no"), failures=3, cursor=["a", "b"])
    assert schedule(failed, UTC, PLAIN).splitlines() == [
        "sales/on_new_file",
        "  asked   every 30s",
        "  starts  refresh",
        "  state   on",
        "  next    2023-11-14 22:13:50+0000",
        "  last    2023-11-14 22:13:20+0000  failed: ValueError: no",
        "  failed  3 times in a row",
        '  cursor  ["a", "b"]',
    ]
    long = sensor(last=look("run", run=17), cursor="x" * 1000)
    shown = schedule(long, UTC, PLAIN)
    assert "  last    2023-11-14 22:13:20+0000  run 17" in shown
    assert len(shown) < 600
