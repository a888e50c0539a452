"""What an evaluation is told, and what is believed of its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codelocd.core.shapes import WrongShape
from codelocd.runs.evaluation import (
    Evaluation,
    RequestedRun,
    Starter,
    checked_evaluation,
    evaluation_part,
)
from codelocd.runs.model import RunId, RunRecord, RunState, RunWish

PLACE = ("sales", "__repository__", "files")


def answer(**others: Any) -> bytes:
    return json.dumps({"state": "succeeded", "runs": [], **others}).encode()


def test_an_order_says_what_time_it_is_in_the_schedules_zone() -> None:
    """Also at the end of summer time, when an hour comes twice."""
    for at, offset in ((1792889999.0, 7200.0), (1792890000.0, 3600.0)):
        part = evaluation_part(Starter(*PLACE, scheduled_for=at, timezone="Europe/Berlin"))
        assert (part["evaluate"], part["scheduled_for"]) == ("files", at)
        assert part["utc_offset"] == offset
    assert evaluation_part(Starter(*PLACE, cursor=[1]))["utc_offset"] is None
    assert evaluation_part(Starter(*PLACE, scheduled_for=0.0, timezone="a/b"))["utc_offset"] is None


def test_an_order_tells_of_the_run_before() -> None:
    run = RunRecord(RunId(16), "u", RunWish("sales", key="k"), 1.0, RunState.FAILED, ended=2.0)
    assert evaluation_part(Starter(*PLACE, last_run=run))["last_run"] == {
        "id": 16,
        "state": "failed",
        "key": "k",
        "queued": 1.0,
        "ended": 2.0,
    }


def test_a_good_answer_is_read() -> None:
    run = {"params": {"a": 1}, "tags": {"b": "c"}, "key": None}
    found = checked_evaluation(answer(runs=[run], cursor=[1], skipped=None))
    assert found == Evaluation((RequestedRun({"a": 1}, {"b": "c"}),), None, [1])
    assert not found.failed
    assert checked_evaluation(answer(skipped="why")).skipped == "why"


def test_a_failure_is_read() -> None:
    told = {"state": "failed", "summary": "ValueError: no", "problem": {"detail": "…"}}
    found = checked_evaluation(json.dumps(told).encode())
    assert (found.failed, found.summary, found.problem) == (True, "ValueError: no", {"detail": "…"})
    silent = checked_evaluation(b'{"state": "failed", "summary": 3, "problem": []}')
    assert (silent.failed, silent.problem) == (True, None)


def test_a_cursor_that_is_too_large_is_a_failure() -> None:
    found = checked_evaluation(answer(cursor="x" * 1024 * 1024))
    assert found.summary == "its cursor takes 1048578 bytes as JSON, and 1048576 is the most"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"state": "running"}',
        b'{"state": "succeeded"}',
        answer(runs={}),
        answer(runs=[{}] * 1001),
        answer(runs=[3]),
        answer(runs=[{"params": {}}]),
        answer(runs=[{"params": {}, "tags": {"a": 1}}]),
        answer(runs=[{"params": {}, "tags": {}, "key": 3}]),
        answer(skipped=3),
    ],
)
def test_what_no_runner_says_is_refused(data: bytes) -> None:
    with pytest.raises(WrongShape):
        checked_evaluation(data)
