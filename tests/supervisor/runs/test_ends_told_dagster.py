"""When Dagster is told how an attempt of one of its runs ended, and what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.runs.dagster import dagster_run_id
from codelocd.runs.encoding import order_part, report_part
from codelocd.runs.events import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    CancelAsked,
    Moment,
    RunAdmitted,
    RunEvent,
    TellDagster,
    UserCodeBegun,
)
from codelocd.runs.folder import AttemptFiles
from codelocd.runs.model import RunId, RunPolicy, RunRecord, RunState, RunWish
from codelocd.runs.step import step
from tests.supervisor.runs.attempts_played import Played, play

BEGUN = (RunAdmitted(3, "m", "env", is_dagsters=True), AttemptStarted(11, "fork"), UserCodeBegun())


def after(*events: RunEvent, **policy: Any) -> tuple[RunRecord, list[TellDagster]]:
    run = RunRecord(RunId(7), "u", RunWish("sales", job="wait", policy=RunPolicy(**policy)), 0.0)
    told: list[TellDagster] = []
    for clock, event in enumerate((*BEGUN, *events)):
        run, effects = step(run, event, Moment(clock, clock))
        told += [each for each in effects if isinstance(each, TellDagster)]
    return run, told


def test_an_attempt_has_the_name_in_dagster_that_its_order_says() -> None:
    run, _ = after()
    assert run.dagster_run == dagster_run_id("u", 1) != dagster_run_id("u", 2)
    assert order_part(run, ())["dagster_run"] == run.dagster_run
    native, _ = step(replace(run, state=run.state.QUEUED), RunAdmitted(), Moment(0, 0))
    assert native.dagster_run is None


@pytest.mark.parametrize(
    ("events", "text", "cancelled"),
    [
        ((AttemptEnded(signal=9),), "codelocd: its process ended by signal 9", False),
        ((AttemptEnded(exit=3),), "codelocd: its process ended, with status 3", False),
        ((AttemptLost(),), "codelocd: its process ended together with its daemon", False),
        (
            (CancelAsked(), AttemptEnded(signal=9)),
            "codelocd: its process ended by signal 9",
            True,
        ),
    ],
)
def test_an_attempt_without_a_result_is_told(
    events: tuple[RunEvent, ...], text: str, cancelled: bool
) -> None:
    run, (told,) = after(*events)
    assert run.state.is_final
    assert (told.end.text, told.end.cancelled) == (text, cancelled)
    assert report_part(told)["report"]["dagster_run"] == dagster_run_id("u", 1)


def test_one_that_says_itself_how_it_ended_is_not_told_and_none_that_is_not_dagsters() -> None:
    result = {"state": "failed", "why": "exception", "dagster_run": dagster_run_id("u", 1)}
    run, told = after(AttemptEnded(exit=1, result=result))
    assert (run.dagster_run, told) == (result["dagster_run"], [])
    assert after(AttemptEnded(exit=3, begun=False))[1] == []
    native = replace(after()[0], dagster_run=None)
    assert step(native, AttemptEnded(signal=9), Moment(0, 0))[1] == ()


def test_each_attempt_of_a_run_is_told_by_its_own_name() -> None:
    _, (told,) = after(AttemptEnded(signal=9), retries=1)
    run, _ = after(AttemptEnded(signal=9), retries=1, retry_delay=0.0)
    run, _ = step(run, BEGUN[0], Moment(100, 100))
    assert told.end.dagster_run == dagster_run_id("u", 1)
    assert run.dagster_run == dagster_run_id("u", 2)
    assert order_part(run, ())["dagster_parent"] == dagster_run_id("u", 1)


def test_what_a_daemon_did_not_come_to_tell_dagster_the_next_one_tells_it(tmp_path: Path) -> None:
    """Of a run that has ended, and of an attempt after which there is another one."""

    wish = RunWish("sales", job="nightly")

    async def dies(played: Played) -> None:
        played.codes.loader, played.hands.deaf = "dagster", True
        ended, _ = await played.keeper.submit(wish)
        policy = RunPolicy(retries=1, retry_delay=0.0)
        again, _ = await played.keeper.submit(replace(wish, policy=policy))
        for run in (ended, again):
            await played.state(run.id, RunState.RUNNING)
            played.hands.end(run.id, None, signal=9)
        assert (await played.keeper.ended(ended.id)).state is RunState.FAILED
        await played.until(lambda: len(played.hands.started) == 3)
        await played.until(lambda: len(played.hands.dagster_told) == 2)

    async def next_one(played: Played) -> None:
        played.codes.loader = "dagster"
        played.hands.files = AttemptFiles(lives=True, begun=True)
        await played.keeper.begin()
        await played.until(lambda: len(played.hands.dagster_told) == 2)
        (run,) = played.keeper.unfinished().values()
        await played.until(lambda: not played.keeper.unfinished()[run.id].untold)
        played.hands.end(run.id)
        assert (await played.keeper.ended(run.id)).attempts[0].state is RunState.FAILED

    async def one_more(played: Played) -> None:
        await played.keeper.begin()
        assert await played.keeper.records.untold() == []

    first, second, third = (play(tmp_path, story) for story in (dies, next_one, one_more))
    told = sorted(first.hands.dagster_told, key=lambda each: each.end.dagster_run)
    assert sorted(second.hands.dagster_told, key=lambda each: each.end.dagster_run) == told
    assert {each.end.text for each in told} == {"codelocd: its process ended by signal 9"}
    assert third.hands.dagster_told == []
