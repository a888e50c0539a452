"""Answers of a daemon about runs, in the shape of docs/protocol.md; times are of long ago."""

from __future__ import annotations

from typing import Any

AT = 1_700_000_000.0
PROBLEM: dict[str, Any] = {
    "kind": "run",
    "summary": "ValueError: no rows (orders.py:7)",
    "detail": "Traceback (most recent call last):\n"
    '  File "/shop/orders.py", line 7, in orders\n'
    '    raise ValueError("no rows")\n'
    "ValueError: no rows\n",
    "at": AT + 2,
    "frames": [
        {
            "file": "/shop/orders.py",
            "line": 7,
            "column": 4,
            "function": "orders",
            "own": True,
            "code": [[6, "    if not rows:"], [7, '        raise ValueError("no rows")']],
        }
    ],
    "remedy": None,
}


def run(number: int, **more: Any) -> dict[str, Any]:
    """The document of a run that succeeded."""
    return {
        "id": number,
        "uuid": f"u{number}",
        "location": "shop",
        "repository": "__repository__",
        "job": "nightly",
        "select": None,
        "state": "succeeded",
        "why": None,
        "summary": None,
        "by": {"kind": "cli", "user": "ada"},
        "key": None,
        "params": {},
        "tags": {},
        "retry_of": None,
        "scheduled_for": None,
        "environment": None,
        "dagster_run": None,
        "config": None,
        "code": {"generation": 9, "manifest": "4f2a9be1c0d3", "late": []},
        "queued": AT,
        "started": AT + 0.5,
        "ended": AT + 1.5,
        "attempts": [attempt(1)],
        "steps": [step("orders", metadata={"rows": 1204}), step("paid")],
        **more,
    }


def attempt(number: int, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "state": "succeeded",
        "pid": 4711,
        "start_method": "fork",
        "started": AT + 0.5,
        "ended": AT + 1.5,
        "exit": 0,
        "signal": None,
        "why": None,
        "summary": None,
        "problem": None,
        "memory_peak": 31457280,
        **more,
    }


def step(name: str, **more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "why": None,
        "summary": None,
        "problem": None,
        "metadata": {},
        "checks": [],
    }
    return {"kind": "asset", "name": name, "state": "succeeded", "seconds": 0.1, **known, **more}


def check(name: str, **more: Any) -> dict[str, Any]:
    known = {"severity": "error", "blocking": False, "seconds": 0.0, "summary": None}
    return {"name": name, "state": "passed", "metadata": {}, **known, **more}


FRESH = check("fresh", state="failed", summary="newest row is 3 days old")
FAILED = run(
    17,
    state="failed",
    why="exception",
    summary=PROBLEM["summary"],
    params={"day": "2026-11-01"},
    tags={"team": "ads"},
    by={"kind": "schedule", "name": "every_morning", "scheduled_for": AT},
    scheduled_for=AT,
    attempts=[attempt(1, state="failed", exit=1, why="exception"), attempt(2, state="failed")],
    steps=[
        step("raw", metadata={"rows": 1204}, checks=[check("not_empty"), FRESH]),
        step("orders", state="failed", summary=PROBLEM["summary"], problem=PROBLEM),
        step("report", state="skipped", seconds=None, why="orders failed"),
    ],
)
RUNNING = run(
    18,
    state="running",
    job=None,
    select=["orders"],
    by={"kind": "page"},
    ended=None,
    attempts=[attempt(1, state="running", ended=None, exit=None)],
    steps=[step("orders", state="started", seconds=None)],
)
RUNS = [
    run(19, state="queued", started=None, ended=None, attempts=[], steps=[]),
    RUNNING,
    FAILED,
    run(16, state="lost"),
    run(15, state="cancelled", why="shutdown"),
    run(14),
]


def schedule(name: str, **more: Any) -> dict[str, Any]:
    return {
        "location": "shop",
        "repository": "__repository__",
        "name": name,
        "kind": "schedule",
        "cron": "0 6 * * *",
        "timezone": "Europe/Oslo",
        "minimum_interval": None,
        "job": "nightly",
        "enabled": True,
        "ticks": True,
        "why": None,
        "next": AT + 1e9,
        "last": {"at": AT, "state": "run", "run": 17, "why": None},
        "missed": 1,
        **more,
    }


TICK = {
    "scheduled_for": AT, "at": AT, "state": "run", "why": None, "runs": [17], "count": 1,
}  # fmt: skip
MISSED = {**TICK, "scheduled_for": AT - 86400, "state": "missed", "runs": [], "count": 71}
SCHEDULES = [
    schedule("every_morning", upcoming=[AT + 1e9, AT + 1e9 + 86400], newest=[TICK, MISSED]),
    schedule("hourly", ticks=False, why="Dagster's daemon ticks it", next=None, last=None),
    schedule("arrivals", kind="sensor", cron=None, minimum_interval=30, enabled=False, next=None),
]
