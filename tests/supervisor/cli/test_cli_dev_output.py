"""What `codelocd dev` says about what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from codelocd.cli.dev_output import SHOWN, DevOutput, Loudness
from codelocd.render.text import PLAIN, Screen
from tests.supervisor.cli.fake_control import LOCATION, PROBLEM

if TYPE_CHECKING:
    from codelocd.documents.events import TopicEvent

HAPPENED = {"event": "launched", "detail": None}
SHAPES: dict[str, dict[str, Any]] = {
    "builds": dict.fromkeys(("done", "total", "bytes_done", "bytes_total")),
    "definitions": {"fields": [], "timing": None, "start_method": None},
}
"""What events of a topic have besides what a test says."""


def said(output: DevOutput, topic: str, now: float = 0.0, **data: Any) -> list[str]:
    event = {"subscription": 1, "topic": topic, "seq": 1, "data": {**SHAPES.get(topic, {}), **data}}
    return list(output.lines(cast("TopicEvent", event), now))


def status(output: DevOutput, now: float = 0.0, **changes: Any) -> list[str]:
    return said(output, "status", now, event=HAPPENED, location={**LOCATION, **changes})


def definition(name: str, kind: str = "asset") -> dict[str, Any]:
    return {"location": "sales", "kind": kind, "name": name}


def test_a_location_has_one_line_while_it_starts_and_one_for_its_first_outcome() -> None:
    output = DevOutput(["sales", "other"], PLAIN, 0.0)
    assert status(output, state="building") == ["sales ● building"]
    assert status(output, state="building", memory=7) == []
    assert status(output, state="starting") == []
    nothing: dict[str, Any] = {"changed": [], "removed": []}
    new = {"added": [definition("orders")], "seconds": None, **nothing}
    assert said(output, "definitions", location="sales", **new) == []
    assert status(output, 2.5) == [
        "sales ● serving: 4 assets, 1 job, 1 resource, 1 schedule, after 2.5s"
    ]
    assert status(output, reloading="starting") == ["sales ● serving, reloading"]
    again = {"added": [definition("more")], "seconds": 0.02, **nothing}
    assert said(output, "definitions", location="sales", **again) == [
        "sales + asset sales/more",
        "sales 1 added in 20ms",
    ]


def test_a_terminal_has_what_is_under_way_elsewhere() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0, live=True)
    assert status(output, state="building") == []
    assert status(output, name="web", state="starting") == []
    assert output.under_way == ["sales building", "web starting"]
    step: dict[str, Any] = {"location": "sales", "phase": "downloading", "done": 1, "total": 4}
    assert said(output, "builds", **step, message="pandas") == []
    assert output.under_way == ["sales downloading 1/4 pandas", "web starting"]
    assert len(status(output)) == 1
    assert output.under_way == ["web starting"]
    assert status(output, reloading="building") == ["sales ● serving, building"]
    assert len(output.under_way) == 2


def test_quiet_is_about_what_goes_wrong_and_what_the_code_prints() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0, loudness="quiet")
    assert status(output, state="building") == []
    assert status(output, 1.0) == ["1 location serving after 1.0s"]
    change: dict[str, Any] = {
        "added": [definition("orders")],
        "changed": [],
        "removed": [],
        "seconds": 0.1,
    }
    assert said(output, "definitions", location="sales", **change) == []
    assert said(output, "logs", location="sales", texts=["hello"]) == ["sales | hello"]
    failed = status(output, stale=True, problem=PROBLEM)
    assert failed[0] == f"sales ● serving, stale: load: {PROBLEM['summary']}"
    assert status(output) == []


def test_verbose_says_each_step_and_resolving_once() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0, loudness="verbose")
    assert status(output, state="building") == ["sales ● building"]

    def step(phase: str, message: str) -> list[str]:
        counted: dict[str, Any] = {"done": None, "total": None}
        return said(output, "builds", location="sales", phase=phase, message=message, **counted)

    assert step("resolving", "which versions fit") == ["sales resolving which versions fit"]
    assert step("resolving", "Resolved 3 packages") == []
    assert step("creating", "environment") == ["sales creating environment"]
    assert step("creating", "environment") == []
    assert step("resolving", "Resolved 3 packages again") == []
    assert step("ready", "it is") == ["sales ready it is"]
    assert step("resolving", "which versions fit") == ["sales resolving which versions fit"]
    assert status(output, state="starting") == ["sales ● starting"]
    change: dict[str, Any] = {
        "added": [definition("orders")],
        "changed": [],
        "removed": [],
        "seconds": None,
    }
    lines = said(output, "definitions", location="sales", **change)
    assert lines == ["sales + asset sales/orders", "sales 1 added"]
    assert status(output, 1.0)[0] == "sales ● serving"


@pytest.mark.parametrize("loudness", ["quiet", "normal", "verbose"])
def test_a_warning_that_many_have_is_said_once(loudness: Loudness) -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0, loudness=loudness)
    told = [
        said(output, "builds", location=name, phase="warning", message="uv reads no pip.conf")
        for name in ("sales", "web", "sales")
    ]
    assert told == [["sales warning uv reads no pip.conf"], [], []]


BANNER = (
    "Telemetry:",
    "",
    "  As an open-source project, we collect usage statistics",
    "  (https://)",
)
LOGGED = "2026-01-01 12:00:00 +0000 - dagster-webserver - {} - {}"


def heard(output: DevOutput, *texts: str, name: str = "dagster-webserver") -> list[str]:
    lines = [said(output, "logs", location=name, texts=[text]) for text in texts]
    return [line for each in lines for line in each]


def test_dagsters_telemetry_and_addresses_are_not_in_the_way() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    info = LOGGED.format("INFO", "Serving dagster-webserver on http://127.0.0.1:3000 in process 7")
    coloured = info.replace("2026", "\x1b[32m2026").replace("INFO", "\x1b[34mINFO\x1b[0m")
    assert heard(output, *BANNER, info, "  more of it", coloured) == []
    assert heard(output, "environment: Resolved 68 packages") == []
    assert output.under_way == ["Dagster's UI environment: Resolved 68 packages"]
    assert heard(output, "Dagster's UI: http://127.0.0.1:3000") == [
        "Dagster's UI: http://127.0.0.1:3000"
    ]
    assert output.under_way == []
    error = LOGGED.format("ERROR", "it went wrong")
    assert heard(output, error, "Traceback (most recent call last):", "  why") == [
        f"dagster-webserver | {error}",
        "dagster-webserver | Traceback (most recent call last):",
        "dagster-webserver |   why",
    ]
    assert heard(output, info.replace("webserver", "daemon"), name="dagster-daemon") == []
    assert heard(output, "Traceback (most recent call last):") != []
    loud = DevOutput(["sales"], PLAIN, 0.0, loudness="verbose")
    assert len(heard(loud, *BANNER, info)) == len(BANNER) + 1


def test_what_codelocd_says_of_dagsters_ui_has_no_name_before_it() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    for text in ("not in Dagster's UI: sales; they use codeloc", "Dagster's UI waits: port 3000"):
        assert heard(output, *BANNER, text) == [text]
    green = DevOutput(["sales"], Screen(colour=True), 0.0)
    assert heard(green, "Dagster's UI: http://x") == ["\x1b[32mDagster's UI: http://x\x1b[0m"]


def test_one_line_sums_up_when_the_last_location_has_its_first_outcome() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 10.0)
    assert len(status(output, 11.0)) == 1
    assert status(output, 12.5, name="web")[1:] == ["2 locations serving after 2.5s"]
    assert status(output, 13.0, name="web", state="failed") == ["web   ● failed"]


def test_what_is_replaced_without_trouble_is_not_called_stale() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    status(output)
    assert status(output, stale=True, reloading="starting") == ["sales ● serving, reloading"]
    assert status(output, stale=True) == ["sales ● serving, stale"]


def test_the_sum_has_the_address_of_dagsters_ui() -> None:
    address = "Dagster's UI: http://127.0.0.1:3000"
    early = DevOutput(["sales"], PLAIN, 0.0)
    assert heard(early, address) == [address]
    assert status(early, 2.0)[-1] == f"1 location serving after 2.0s; {address}"
    late = DevOutput(["sales", "web"], PLAIN, 0.0)
    status(late, 1.0)
    assert status(late, 1.0, name="web", state="failed")[-1].endswith("; not: web")
    assert heard(late, address) == [f"1 of 2 locations serving; not: web; {address}"]


def test_one_long_name_does_not_make_every_line_long() -> None:
    output = DevOutput(["sales", "x" * 70], PLAIN, 0.0)
    assert status(output, state="building") == [f"sales{' ' * 19} ● building"]
    (line,) = status(output, name="x" * 70, state="building")
    assert line == f"{'x' * 70} ● building"


def test_an_end_before_the_first_outcome_is_no_outcome() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    status(output, name="web")
    ends = {"event": "stopped", "detail": None}
    gone = {"event": "exited", "detail": None}
    for name in ("sales", "web"):
        for event, state in ((ends, "stopping"), (gone, "stopped")):
            location = {**LOCATION, "name": name, "state": state}
            assert not [
                line
                for line in said(output, "status", event=event, location=location)
                if "serving after" in line
            ]


def test_the_sum_names_what_does_not_serve() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    status(output)
    lines = status(output, 1.0, name="web", state="failed")
    assert lines[-1] == "1 of 2 locations serving after 1.0s; not: web"


def test_a_problem_comes_with_its_traceback_and_once() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    status(output)
    assert status(output, stale=True, problem=PROBLEM) == [
        f"sales ● serving, stale: load: {PROBLEM['summary']}",
        "    Traceback (most recent call last):\n      File defs.py, line 3",
    ]
    again = status(output, stale=True, problem=PROBLEM, reloading="starting")
    assert again == ["sales ● serving, stale, reloading"]


def test_the_retries_of_a_crash_take_one_line_each() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    crash: dict[str, Any] = {
        "kind": "crash",
        "summary": "the runner exited with status 7",
        "detail": "why",
        "at": 1,
    }

    def turn(event: str, state: str, at: float, summary: str = "") -> list[str]:
        problem = {**crash, "at": at, "summary": crash["summary"] + summary}
        location = {**LOCATION, "state": state, "problem": problem}
        return said(output, "status", at, event={"event": event, "detail": None}, location=location)

    assert turn("exited", "backoff", 1.0)[:2] == [
        "sales ● backoff: crash: the runner exited with status 7",
        "    why",
    ]
    for second in (2.0, 3.0):
        assert turn("deadline-passed", "building", second - 1) == []
        assert turn("environment-ready", "starting", second - 1) == []
        assert turn("exited", "backoff", second) == [
            "sales ● backoff: crash: the runner exited with status 7"
        ]
    assert turn("exited", "failed", 4.0, "; gave up after 5 failures") == [
        "sales ● failed: crash: the runner exited with status 7; gave up after 5 failures"
    ]
    assert turn("sources-changed", "starting", 4.0, "; gave up after 5 failures") == [
        "sales ● starting"
    ]
    assert turn("exited", "backoff", 5.0) == [
        "sales ● backoff: crash: the runner exited with status 7",
        "    why",
    ]
    serving = {**LOCATION, "problem": None}
    for served, told in ((1.0, 1), (100.0, 2)):
        said(output, "status", 6.0, event=HAPPENED, location=serving)
        assert len(turn("exited", "backoff", 6.0 + served)) == told


@pytest.mark.parametrize("loudness", ["quiet", "normal", "verbose"])
def test_a_mistake_in_a_saved_config_is_said_like_all_else_and_so_is_its_end(
    loudness: Loudness,
) -> None:
    output = DevOutput(["sales"], PLAIN, 0.0, loudness=loudness)

    def saved(state: str, problem: str | None) -> list[str]:
        event = {"event": f"config-{state}", "detail": problem}
        found = {"state": state, "problem": problem, "file": "/a/codelocd.toml", "at": 1.0}
        return said(output, "status", event=event, location=None, config=found)

    assert saved("applied", None) == []
    assert saved("invalid", "/a/codelocd.toml:3: x: one\n/a/codelocd.toml:4: y: two") == [
        "config not applied: /a/codelocd.toml:3: x: one",
        "config not applied: /a/codelocd.toml:4: y: two",
    ]
    assert saved("applied", None) == ["config applied: /a/codelocd.toml"]
    assert saved("changed", "[daemon] was changed") == [
        "config changed, not applied: /a/codelocd.toml: [daemon] was changed"
    ]


def test_a_reload_says_what_changed_on_disk() -> None:
    output = DevOutput(["sales", "web"], PLAIN, 0.0)
    status(output)
    saved = {"event": "sources-changed", "detail": "/a/defs.py"}
    lines = said(output, "status", event=saved, location={**LOCATION, "reloading": "starting"})
    assert lines == ["sales ● serving, reloading (/a/defs.py changed)"]


def test_definitions_are_named_as_they_change_with_the_time_it_took() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    status(output)
    change: dict[str, Any] = {
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
    status(output)
    nothing: dict[str, Any] = {"added": [], "changed": [], "removed": []}
    lines = said(output, "definitions", location="sales", seconds=0.02, **nothing)
    assert lines == ["sales the same definitions in 20ms"]
    assert said(output, "definitions", location="sales", seconds=None, **nothing) == []


def test_a_great_many_definitions_are_counted() -> None:
    output = DevOutput(["sales"], PLAIN, 0.0)
    status(output)
    added = [definition(f"a{n}") for n in range(SHOWN + 5)]
    change: dict[str, Any] = {"added": added, "changed": [], "removed": []}
    lines = said(output, "definitions", location="sales", seconds=None, **change)
    assert lines[-2:] == ["sales + 5 more", "sales 25 added"]


def test_output_has_the_coloured_name_of_its_location_before_it() -> None:
    plain = DevOutput(["sales", "weather"], PLAIN, 0.0)
    assert said(plain, "logs", location="sales", texts=["hi\x1b[2J"]) == ["sales   | hi"]
    colour = DevOutput(["sales", "weather"], Screen(colour=True), 0.0)
    line = said(colour, "logs", location="weather", texts=["hi"])
    assert line == ["\x1b[35mweather\x1b[0m | hi"]
