"""Runs as JSON: what the book keeps, and what clients are told. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from codelocd.runs.dagster import repeated_there
from codelocd.runs.events import Moment, TellDagster
from codelocd.runs.model import (
    Deadlines,
    RunAttempt,
    RunId,
    RunPolicy,
    RunRecord,
    RunState,
    RunWish,
    UnsaidEnd,
)

ORDER_FORMAT = 1
"""Of docs/protocol.md, which the bundle of this version takes."""


def encoded(run: RunRecord) -> str:
    return json.dumps(_parts(run), separators=(",", ":"), default=_parts)


def _parts(part: Any) -> dict[str, Any]:
    """Of a value of the model. `asdict` would copy all that is in it, too, which takes longer than
    the rest of a record's way to the disk."""
    return {each.name: getattr(part, each.name) for each in fields(part)}


def decoded(text: str) -> RunRecord:
    """Raises ValueError, KeyError or TypeError where the text is none of `encoded`.

    What another version wrote besides is left out.
    """
    kept = json.loads(text)
    wish = _known(RunWish, kept["wish"])
    select = wish.get("select")
    wish["select"] = None if select is None else tuple(select)
    wish["policy"] = RunPolicy(**_known(RunPolicy, wish["policy"]))
    run = _known(RunRecord, kept)
    run["deadlines"] = Deadlines(**_known(Deadlines, run.get("deadlines", {})))
    run["id"] = RunId(run["id"])
    run["wish"] = RunWish(**wish)
    run["state"] = RunState(run["state"])
    run["attempts"] = tuple(map(_attempt, run["attempts"]))
    run["steps"] = tuple(run["steps"])
    run["untold"] = tuple(UnsaidEnd(**_known(UnsaidEnd, end)) for end in run.get("untold", ()))
    return RunRecord(**run)


def _attempt(kept: Mapping[str, Any]) -> RunAttempt:
    given = _known(RunAttempt, kept)
    return RunAttempt(**{**given, "state": RunState(given["state"])})


def _known(kind: type, kept: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in kept.items() if name in names}


def run_document(run: RunRecord, now: Moment) -> dict[str, Any]:
    """One run as clients are told of it, at that moment."""
    wish = run.wish
    return {
        "id": run.id,
        "uuid": run.uuid,
        "location": wish.location,
        "repository": wish.repository,
        "job": wish.job,
        "select": None if wish.select is None else list(wish.select),
        "state": run.state.value,
        "why": run.why,
        "summary": run.summary,
        "stopping": run.stopping,
        "by": dict(wish.by),
        "key": wish.key,
        "params": dict(wish.params),
        "config": wish.config,
        "tags": dict(wish.tags),
        "retry_of": wish.retry_of,
        "scheduled_for": wish.scheduled_for,
        "code": {
            "generation": run.generation,
            "manifest": run.manifest,
            "late": sorted(run.late),
        },
        "environment": run.environment,
        "queued": run.queued,
        "started": run.started,
        "ended": run.ended,
        "seconds": _seconds(run, run.boot, now),
        "retry_at": run.retry_at if run.state is RunState.QUEUED else None,
        "attempts": [_attempt_document(each, run.boot, now) for each in run.attempts],
        "steps": [dict(each) for each in run.steps],
        "dagster_run": run.dagster_run or wish.dagster_run,
    }


def run_summary(run: RunRecord, now: Moment) -> dict[str, Any]:
    """The same without steps and attempts: how many steps are in which state, and which attempt is
    the newest."""
    document = run_document(run, now)
    del document["steps"], document["attempts"]
    counts = dict(Counter(each["state"] for each in run.steps))
    return {**document, "attempt": len(run.attempts) or None, "counts": counts}


def run_listed(run: RunRecord, now: Moment) -> dict[str, Any]:
    """The same as `run_document` without the metadata of its steps and checks."""
    document = run_document(run, now)
    document["steps"] = [_without_metadata(each) for each in run.steps]
    return document


def _without_metadata(step: Mapping[str, Any]) -> dict[str, Any]:
    checks = [
        {name: each for name, each in check.items() if name != "metadata"}
        for check in step.get("checks") or ()
    ]
    return {**{n: each for n, each in step.items() if n != "metadata"}, "checks": checks}


def order_part(run: RunRecord, done: Sequence[str]) -> dict[str, Any]:
    """What the order of the newest attempt says of the run; `done`: of `StartAttempt`."""
    wish, timezone = run.wish, run.wish.by.get("timezone")
    return {
        "format": ORDER_FORMAT,
        "run": run.id,
        "attempt": len(run.attempts),
        "repository": wish.repository,
        "job": wish.job,
        "select": None if wish.select is None else list(wish.select),
        "upstream": wish.upstream,
        "checks": wish.checks,
        "params": dict(wish.params),
        "config": wish.config,
        "tags": dict(wish.tags),
        "dagster_run": run.dagster_run,
        "dagster_parent": repeated_there(run),
        "launched": wish.dagster_run is not None,
        "scheduled_for": wish.scheduled_for,
        "timezone": timezone,
        "utc_offset": utc_offset(wish.scheduled_for, timezone),
        "generation": run.generation,
        "done": list(done),
    }


def utc_offset(at: float | None, timezone: str | None) -> float | None:
    """Seconds. For a Python that knows no zones; this one may not know all of them either."""
    if at is None or timezone is None:
        return None
    try:
        zone = ZoneInfo(timezone)
    except (LookupError, OSError, ValueError):
        return None
    return (datetime.fromtimestamp(at, zone).utcoffset() or timedelta()).total_seconds()


def report_part(effect: TellDagster) -> dict[str, Any]:
    """What a process is told that tells Dagster how an attempt ended."""
    told = {name: getattr(effect.end, name) for name in ("dagster_run", "text", "cancelled")}
    return {"format": ORDER_FORMAT, "repository": effect.repository, "report": told}


def _attempt_document(attempt: RunAttempt, boot: str, now: Moment) -> dict[str, Any]:
    told = {**asdict(attempt), "state": attempt.state.value}
    del told["false_starts"], told["began"]
    return {**told, "seconds": _seconds(attempt, boot, now)}


def _seconds(it: RunRecord | RunAttempt, boot: str, now: Moment) -> float | None:
    """How long it took, or has by now; None: it was not started."""
    if it.ended is None:
        return now.since(it.started, it.began, boot)
    if it.seconds is not None or it.started is None:
        return it.seconds
    return max(0.0, it.ended - it.started)  # of a version that noted the times alone
