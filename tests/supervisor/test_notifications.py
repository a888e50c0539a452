"""Who is told when a location fails, is stale, or recovers, and how often."""

from __future__ import annotations

from typing import Any

from codelocd.core.news import PERIOD, Notified, condition_of, message, wait_before


def entry(state: str, *, stale: bool = False, reloading: str | None = None) -> Any:
    problem = {"summary": "SyntaxError (a.py:1)"} if state == "failed" or stale else None
    more = {"stale": stale, "reloading": reloading, "generation": 2, "problem": problem}
    return {"name": "sales", "state": state, **more}


def test_a_location_that_is_about_to_change_is_in_no_condition() -> None:
    assert condition_of(entry("failed")) == "failed"
    assert condition_of(entry("serving")) == "well"
    assert condition_of(entry("serving", stale=True)) == "stale"
    assert condition_of(entry("serving", stale=True, reloading="starting")) is None
    for state in ("stopped", "building", "starting", "backoff", "stopping", "external"):
        assert condition_of(entry(state)) is None


def test_the_first_good_load_is_no_news_and_the_first_failure_is() -> None:
    assert wait_before(Notified(), "well", 5.0) is None
    assert wait_before(Notified(), "failed", 5.0) == 0.0


def test_one_location_is_told_of_once_a_minute_at_most() -> None:
    told = Notified("failed", 100.0)
    assert wait_before(told, "failed", 101.0) is None
    assert wait_before(told, "well", 110.0) == PERIOD - 10.0
    assert wait_before(told, "well", 1000.0) == 0.0


def test_a_notification_says_what_and_why_in_one_line() -> None:
    daemon = {"host": "h", "instance": "i"}
    told = message(entry("failed"), "well", "failed", 1.0, daemon)
    assert told["text"] == "sales has failed: SyntaxError (a.py:1)"
    assert (told["event"], told["summary"], told["host"]) == ("failed", "SyntaxError (a.py:1)", "h")
    told = message(entry("serving"), "failed", "well", 2.0, daemon)
    assert told["text"] == "sales serves again"
    assert (told["event"], told["before"], told["summary"]) == ("recovered", "failed", None)
