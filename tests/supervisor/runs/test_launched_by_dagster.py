"""A run that Dagster has recorded and launched: what is asked for, its order and its ends."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from codelocd.daemon.runs.wishes import launched_wish
from codelocd.rpc.errors import RpcError
from codelocd.runs.encoding import decoded, encoded, order_part, run_document
from codelocd.runs.events import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    CancelAsked,
    Moment,
    RunAdmitted,
    RunEvent,
    StartFailed,
    TellDagster,
    UserCodeBegun,
)
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.step import step

ADMITTED = RunAdmitted(3, "m", "env", is_dagsters=True)
BEGUN = (ADMITTED, AttemptStarted(11, "fork"), UserCodeBegun())
QUEUED = RunRecord(RunId(7), "u", RunWish("shop", job="wait", dagster_run="there"), 0.0)


def after(*events: RunEvent) -> tuple[RunRecord, list[TellDagster]]:
    run, told = QUEUED, []
    for clock, event in enumerate(events):
        run, effects = step(run, event, Moment(100 * clock, 100 * clock))
        told += [each for each in effects if isinstance(each, TellDagster)]
    return run, told


def test_its_attempt_is_that_run() -> None:
    run, _ = after(ADMITTED)
    order = order_part(run, ())
    assert (order["dagster_run"], order["launched"]) == ("there", True)
    own = replace(QUEUED, wish=replace(QUEUED.wish, dagster_run=None))
    assert order_part(step(own, ADMITTED, Moment(0, 0))[0], ())["launched"] is False
    assert run_document(QUEUED, Moment(0, 0))["dagster_run"] == "there"
    assert decoded(encoded(run)).wish == run.wish


RESULT = {"state": "failed", "why": "load", "summary": "no module", "dagster_run": None}


@pytest.mark.parametrize(
    ("events", "text", "cancelled"),
    [
        ((CancelAsked(),), "it was cancelled", True),
        ((*BEGUN, AttemptEnded(signal=9)), "its process ended by signal 9", False),
        ((*BEGUN, AttemptLost()), "its process ended together with its daemon", False),
        ((*BEGUN, AttemptEnded(exit=1, result=RESULT)), "no module", False),
        ((ADMITTED, StartFailed("gone")) * 3, "gone", False),
    ],
)
def test_dagster_is_told_of_each_end_that_the_attempt_has_not_told(
    events: tuple[RunEvent, ...], text: str, cancelled: bool
) -> None:
    run, (told,) = after(*events)
    assert run.state.is_final
    assert (told.end.dagster_run, told.end.text, told.end.cancelled) == (
        "there",
        f"codelocd: {text}",
        cancelled,
    )


def test_what_the_attempt_has_told_is_not_told_again() -> None:
    assert after(*BEGUN, AttemptEnded(exit=1, result={**RESULT, "dagster_run": "there"}))[1] == []
    assert after(ADMITTED, StartFailed("gone"))[1] == []


def wished(
    loader: str = "dagster", variables: dict[str, str] | None = None, **told: Any
) -> RunWish:
    served: Any = SimpleNamespace(
        loader=loader,
        order=SimpleNamespace(account=None),
        spec=SimpleNamespace(variables=variables or {}),
    )
    given = {"id": "there", "repository": "r", "job": "__ASSET_JOB", "home": "/home", **told}
    by = {"kind": "dagster"}
    return launched_wish({"dagster_run": given, "by": by, "key": "k"}, "shop", served)


def test_assets_are_named_in_place_of_the_job_that_dagster_makes_up_for_them() -> None:
    assert (wished().job, wished().select, wished().dagster_run) == ("__ASSET_JOB", None, "there")
    assert (wished(assets=["a/b"]).job, wished(assets=["a/b"]).select) == (None, ("a/b",))
    assert wished(variables={"DAGSTER_HOME": "/home"}).by == {"kind": "dagster"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loader": "native"}, "no definitions of Dagster's"),
        ({"variables": {"DAGSTER_HOME": "/other"}}, "an instance of its own"),
        ({"id": None}, "id is missing"),
    ],
)
def test_what_is_on_another_instance_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(RpcError, match=said):
        wished(**given)
