"""Runs in the terminal view, without a terminal: what is shown of them, and what keys order."""

from __future__ import annotations

from typing import Any

import pytest
from codelocd_top import panes, view
from codelocd_top.feed import LineBatch
from codelocd_top.model import Granted, Lost, Printed, PrintedLine, Said, TopModel
from codelocd_top.run_model import (
    RUNS,
    AskStartable,
    RunAct,
    RunClicked,
    Runnable,
    RunShown,
    RunsTold,
    Startable,
)
from codelocd_ui.runs import summary

from codelocd.render.text import Screen
from tests.ui.run_documents import AT, FAILED, RUNNING, run
from tests.ui.run_documents import RUNS as TOLD
from tests.ui.top.test_top_model import after, location, pressed, told

PLAIN = Screen()
NOW = AT + 100


@pytest.fixture
def model() -> TopModel:
    """Of a daemon with the locations `shop` and `ads`, which knows of runs."""
    started = TopModel(name="shop", now=NOW, width=120, height=30)
    runs = RunsTold(tuple(map(summary, TOLD)), full=True)
    return after(
        started, Granted(orders=True, runs=True), told(location("shop"), location("ads")), runs
    )


def at_runs(model: TopModel, *keys: str) -> TopModel:
    return pressed(model, "u", *keys)[0]


def shown(model: TopModel) -> list[str]:
    return [line.rstrip() for line in view.head_and_rows(model, PLAIN)[1]]


def pane(model: TopModel) -> list[str]:
    return [line.rstrip() for line in panes.lines(model, PLAIN)]


def test_u_shows_runs_newest_first_and_locations_again(model: TopModel) -> None:
    assert "1 running, 1 queued" in view.title(model, PLAIN)
    assert "u runs" in view.last_line(model, PLAIN)
    runs = at_runs(model)
    assert [line.split()[1] for line in shown(runs)] == ["19", "18", "17", "16", "15", "14"]
    assert "shop/orders" in shown(runs)[1]
    assert "failed: exception" in shown(runs)[2]
    assert "every_morning" in shown(runs)[2]
    assert "u locations" in view.last_line(runs, PLAIN)
    back, _ = pressed(runs, "u")
    assert back.table == "locations"
    assert "shop" in shown(back)[1]


def test_the_cursor_moves_over_runs_and_a_click_selects_one(model: TopModel) -> None:
    assert at_runs(model).run == 19
    assert at_runs(model, "j", "j").run == 17
    assert at_runs(model, "G").run == 14
    assert at_runs(model, "G", "g").run == 19
    clicked = after(at_runs(model), RunClicked(16, twice=True))
    assert (clicked.run, clicked.whole_pane) == (16, True)
    assert after(model, RunClicked(16)).run is None


def test_a_new_run_leaves_the_cursor_where_it_is(model: TopModel) -> None:
    runs = after(at_runs(model, "j"), RunsTold((summary(run(20, state="queued")),)))
    assert runs.run == 18
    assert len(shown(runs)) == 7
    gone = after(runs, RunsTold((summary(run(30)),), full=True))
    assert gone.run == 30


def test_of_runs_that_have_ended_the_newest_are_kept(model: TopModel) -> None:
    many = after(model, RunsTold(tuple(summary(run(each)) for each in range(100, 101 + RUNS))))
    assert len(many.runs) == RUNS + 2
    assert {18, 19} < set(many.runs)
    assert 17 not in many.runs


def test_the_filter_finds_runs_by_number_state_and_who_asked(model: TopModel) -> None:
    runs = at_runs(model, "/", *"morning", "enter")
    assert [line.split()[1] for line in shown(runs)] == ["17"]
    assert runs.run == 17
    nothing, _ = pressed(runs, "/", *"xyz", "enter")
    assert nothing.run is None
    assert pane(nothing) == ["  no run fits the filter"]


def test_the_pane_tells_steps_checks_and_why_it_failed(model: TopModel) -> None:
    runs = after(at_runs(model, "j", "j"), RunShown(FAILED), RunShown(RUNNING))
    lines = pane(runs)
    assert lines[0] == "  run 17  shop/nightly  failed: exception, attempt 2"
    assert lines[1] == "  day=2026-11-01 team=ads"
    told_of = "\n".join(lines)
    assert "raw           ok      100ms  rows 1204" in told_of
    assert "    fresh       FAILED  newest row is 3 days old" in told_of
    assert "report        skipped (orders failed)" in told_of
    assert "failed after 1.0s: 1 step (orders); 1 check" in told_of
    assert lines[-1] == "  ValueError: no rows"
    going = after(at_runs(model, "j"), RunShown(RUNNING))
    assert pane(going)[-1] == "  orders        …"


def test_output_of_a_run_is_not_that_of_its_location(model: TopModel) -> None:
    runs = at_runs(model, "j", "o")
    lines = (PrintedLine(AT, "hello"),)
    assert after(runs, Printed("shop", lines)).printed == ()
    assert pane(after(runs, Printed("run 18", lines, first=True)))[0].endswith("hello")
    assert pane(runs) == ["  run 18 has printed nothing that is kept"]
    assert "run 18" in view.pane_title(runs, 0, PLAIN)
    moved, _ = pressed(after(runs, Printed("run 18", lines, first=True)), "j")
    assert moved.printed == ()


def test_a_batch_has_lines_of_its_run_alone() -> None:
    batch = LineBatch("shop", 18)
    heard: dict[str, Any] = {"location": "shop", "seq": 1, "at": AT, "texts": ["one", "two"]}
    batch.add({**heard, "run": 17})
    assert batch.take() is None
    batch.add({**heard, "run": 18})
    printed = batch.take()
    assert printed is not None
    assert (printed.location, [each.text for each in printed.lines]) == ("run 18", ["one", "two"])


def test_a_run_is_cancelled_after_a_question_and_killed_after_another(model: TopModel) -> None:
    asked, orders = pressed(at_runs(model, "j"), "c")
    assert not orders
    assert "cancel run 18 (shop/orders)?" in view.last_line(asked, PLAIN)
    done, orders = pressed(asked, "y")
    assert orders == (RunAct("run_cancel", "run 18", {"id": 18}),)
    ending = after(done, RunsTold(({**summary(RUNNING), "stopping": "cancel"},)))
    assert "ending" in shown(ending)[1]
    _, orders = pressed(ending, "c", "y")
    assert orders == (RunAct("run_cancel", "run 18", {"id": 18, "kill": True}),)
    assert pressed(asked, "n")[0].said == Said("nothing was done")


def test_what_has_ended_is_run_again_and_not_cancelled(model: TopModel) -> None:
    ended = at_runs(model, "j", "j")
    said = pressed(ended, "c")[0].said
    assert said is not None
    assert said.text == "run 17 has ended"
    _, orders = pressed(ended, "a", "y")
    assert orders == (RunAct("run_retry", "run 17", {"id": 17, "by": {"kind": "top"}}),)
    said = pressed(at_runs(model, "j"), "a")[0].said
    assert said is not None
    assert "still goes on" in said.text
    launched = after(ended, RunsTold(({**summary(ended.runs[17]), "by": {"kind": "dagster"}},)))
    said = pressed(launched, "a")[0].said
    assert said is not None
    assert "re-execute it on Dagster's page" in said.text


def startable(model: TopModel) -> TopModel:
    """While it is typed what to run."""
    typing, orders = pressed(model, "n")
    assert orders == (AskStartable(),)
    jobs = ("ads", "clicks", "a"), ("shop", "hourly", "a"), ("shop", "nightly", "a")
    assets = ("ads", "orders", "a"), ("shop", "orders", "a"), ("shop", "paid", "a")
    found = [Runnable(location, False, name, where) for location, name, where in jobs]
    found += [Runnable(location, True, name, where) for location, name, where in assets]
    return after(typing, Startable((*found, Runnable("shop", False, "nightly", "b"))))


def test_a_job_is_started_by_a_part_of_its_name(model: TopModel) -> None:
    typing = startable(model)
    chosen, _ = pressed(typing, *"shop")
    assert "▸ shop/hourly  shop/nightly (a)  shop/nightly (b)" in view.last_line(chosen, PLAIN)
    chosen, _ = pressed(chosen, "down", "down")
    done, orders = pressed(chosen, "enter")
    params = {"location": "shop", "repository": "b", "names": ["nightly"], "by": {"kind": "top"}}
    assert orders == (RunAct("run", "shop/nightly", params),)
    assert done.mode == "table"
    none, orders = pressed(typing, *"xyz", "enter")
    assert not orders
    assert none.said is not None
    assert pressed(typing, "escape")[0].mode == "table"


@pytest.mark.parametrize(
    ("typed", "names", "given"),
    [
        ("nightly day=2026-11-27", ["nightly"], {"day": "2026-11-27"}),
        ("day='two words' hourly n=1", ["hourly"], {"day": "two words", "n": "1"}),
        ("shop/orders pai", ["orders", "paid"], {}),
    ],
)
def test_parameters_and_several_assets_are_typed_as_in_a_command(
    model: TopModel, typed: str, names: list[str], given: dict[str, str]
) -> None:
    _, orders = pressed(startable(model), *typed, "enter")
    (act,) = orders
    assert isinstance(act, RunAct)
    assert act.params["names"] == names
    assert act.params.get("params", {}) == given
    assert act.params["location"] == "shop"


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("nightly --tag team=ads --param day=x", {"params": {"day": "x"}, "tags": {"team": "ads"}}),
        (
            "--tag=dagster/partition=2026-11-27 nightly",
            {"tags": {"dagster/partition": "2026-11-27"}},
        ),
        ("nightly --run-config '{\"ops\": {}}'", {"config": {"ops": {}}}),
        ("nightly --ta", {}),
    ],
)
def test_tags_and_a_run_config_are_typed_as_in_a_command(
    model: TopModel, typed: str, given: dict[str, Any]
) -> None:
    _, (act,) = pressed(startable(model), *typed, "enter")
    assert isinstance(act, RunAct)
    assert act.params["names"] == ["nightly"]
    wanted = {name: act.params[name] for name in ("params", "tags", "config") if name in act.params}
    assert wanted == given


@pytest.mark.parametrize("config", ["ops.yaml", "[1]", "{"])
def test_a_run_config_that_is_no_json_is_said(model: TopModel, config: str) -> None:
    done, orders = pressed(startable(model), *f"nightly --run-config {config}", "enter")
    assert not orders
    assert done.said is not None
    assert "JSON" in done.said.text


@pytest.mark.parametrize("typed", ["orders nightly", "orders nothing", "nothing paid"])
def test_what_cannot_be_run_together_is_said(model: TopModel, typed: str) -> None:
    done, orders = pressed(startable(model), *typed, "enter")
    assert not orders
    assert done.said is not None
    assert "called" in done.said.text


def test_nothing_is_ordered_of_runs_by_who_may_only_look_or_while_the_daemon_is_gone(
    model: TopModel,
) -> None:
    for changed in (
        after(model, Granted(orders=False, runs=True)),
        after(model, Lost(NOW, "gone")),
    ):
        for keys in (("u", "j", "c"), ("u", "j", "j", "a"), ("n",)):
            found, orders = pressed(changed, *keys)
            assert not orders
            assert found.mode == "table"
    older = after(model, Granted(orders=True))
    assert pressed(older, "u")[0].table == "locations"


def test_a_question_of_a_location_says_what_becomes_of_its_runs(model: TopModel) -> None:
    selected, _ = pressed(model, "G")
    assert selected.selected == "shop"
    asked = view.last_line(pressed(selected, "R")[0], Screen(width=200))
    assert "1 run of it goes on" in asked
    stop = view.last_line(pressed(selected, "s")[0], PLAIN)
    assert "1 in the queue is cancelled" in stop
    other = view.last_line(pressed(pressed(model, "g")[0], "R")[0], PLAIN)
    assert "run" not in other.replace("restart", "")


@pytest.mark.parametrize("hostile", ["\x1b]0;x\x07", "a\nb", "\u202e"])
def test_names_of_runs_are_text(model: TopModel, hostile: str) -> None:
    bad = {
        **summary(run(40, job=hostile)),
        "by": {"kind": hostile},
        "why": hostile,
        "state": hostile,
    }
    runs = after(at_runs(model), RunsTold((bad,)))
    whole = run(40, job=hostile, params={hostile: hostile}, state=hostile)
    runs = after(at_runs(after(runs, RunsTold((bad,), full=True))), RunShown(whole))
    for line in (*shown(runs), *pane(runs)):
        assert hostile not in line
        assert "\n" not in line
