"""What `codelocd dev` says about what happens."""

from __future__ import annotations

from typing import Any

from fake_control import LOCATION, PROBLEM

from codelocd.cli.dev_output import SHOWN, DevOutput
from codelocd.render.screen import PLAIN, Screen

HAPPENED = {"event": "launched", "detail": None}


def said(output: DevOutput, topic: str, now: float = 0.0, **data: Any) -> list[str]:
    return list(output.lines({"topic": topic, "seq": 1, "data": data}, now))


def status(output: DevOutput, now: float = 0.0, **changes: Any) -> list[str]:
    return said(output, "status", now, event=HAPPENED, location={**LOCATION, **changes})


def definition(name: str, kind: str = "asset") -> dict[str, Any]:
    return {"location": "sales", "kind": kind, "name": name}


def test_each_state_is_said_once() -> None:
    output = DevOutput(["sales", "other"], PLAIN, 0.0)
    assert status(output, state="building") == ["sales ● building"]
    assert status(output, state="building", memory=7) == []
    assert status(output, state="starting") == ["sales ● starting"]


def test_one_line_sums_up_when_the_last_location_has_its_first_outcome() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 10.0)
    assert status(output, 11.0) == ["sales ● serving"]
    assert status(output, 12.5, name="web") == [
        "web   ● serving",
        "2 locations serving after 2.5s",
    ]
    assert status(output, 13.0, name="web", state="failed") == ["web   ● failed"]


def test_the_sum_names_what_does_not_serve() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    status(output)
    lines = status(output, 1.0, name="web", state="failed")
    assert lines[-1] == "1 of 2 locations serving after 1.0s; not: web"


def test_a_problem_comes_with_its_traceback_and_once() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    assert status(output, stale=True, problem=PROBLEM) == [
        f"sales ● serving, stale: load: {PROBLEM['summary']}",
        "    Traceback (most recent call last):\n      File defs.py, line 3",
    ]
    again = status(output, stale=True, problem=PROBLEM, reloading="starting")
    assert again == ["sales ● serving, stale, starting"]


def test_a_reload_says_what_changed_on_disk() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    saved = {"event": "sources-changed", "detail": "/a/defs.py"}
    lines = said(output, "status", event=saved, location={**LOCATION, "reloading": "starting"})
    assert lines == ["sales ● serving, starting (/a/defs.py changed)"]


def test_definitions_are_named_as_they_change_with_the_time_it_took() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    change = {
        "added": [definition("orders")],
        "changed": [definition("nightly", "schedule")],
        "fields": [{"cron": ["0 6 * * *", "0 7 * * *"]}],
        "removed": [definition("old", "job")],
    }
    assert said(output, "definitions", location="sales", seconds=0.043, **change) == [
        "sales + asset sales/orders",
        'sales ~ schedule sales/nightly: cron "0 6 * * *" → "0 7 * * *"',
        "sales - job sales/old",
        "sales 1 added, 1 changed, 1 removed in 43ms",
    ]


def test_a_reload_that_changed_nothing_says_so() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    nothing: dict[str, Any] = {"added": [], "changed": [], "removed": []}
    lines = said(output, "definitions", location="sales", seconds=0.02, **nothing)
    assert lines == ["sales the same definitions in 20ms"]
    assert said(output, "definitions", location="sales", seconds=None, **nothing) == []


def test_a_great_many_definitions_are_counted() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    added = [definition(f"a{n}") for n in range(SHOWN + 5)]
    change = {"added": added, "changed": [], "removed": []}
    lines = said(output, "definitions", location="sales", seconds=None, **change)
    assert lines[-2:] == ["sales + 5 more", "sales 25 added"]


def test_output_has_the_coloured_name_of_its_location_before_it() -> None:
    plain = DevOutput(["sales", "weather"], PLAIN, 0.0)
    assert said(plain, "logs", location="sales", text="hi\x1b[2J") == ["sales   | hi�[2J"]
    colour = DevOutput(["sales", "weather"], Screen(colour=True), 0.0)
    line = said(colour, "logs", location="weather", text="hi")
    assert line == ["\x1b[35mweather\x1b[0m | hi"]


def test_a_build_says_how_far_it_is() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    step = {"location": "sales", "phase": "downloading", "done": 1, "total": 4}
    assert said(output, "builds", **step, message="pandas") == ["sales downloading 1/4 pandas"]
    assert said(output, "builds", **step, message="pandas") == []
    uncounted = {"location": "sales", "phase": "ready", "done": None, "total": None}
    assert said(output, "builds", **uncounted, message="it is") == ["sales ready it is"]
