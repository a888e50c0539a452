"""Documents of runs, as a daemon tells of them."""

from __future__ import annotations

from typing import Any

AT = 1700000000.0
ATTEMPT: dict[str, Any] = {
    "number": 1,
    "state": "failed",
    "pid": 4711,
    "start_method": "fork",
    "started": AT,
    "ended": AT + 1,
    "exit": 1,
    "signal": None,
    "why": "check",
    "summary": None,
    "problem": None,
    "memory_peak": 31457280,
}
STEPS: list[dict[str, Any]] = [
    {
        "kind": "asset",
        "name": "raw_orders",
        "state": "succeeded",
        "seconds": 0.8,
        "why": None,
        "summary": None,
        "problem": None,
        "metadata": {"rows": 1204},
        "checks": [],
    },
    {
        "kind": "asset",
        "name": "orders",
        "state": "succeeded",
        "seconds": 0.1,
        "why": None,
        "summary": None,
        "problem": None,
        "metadata": {},
        "checks": [
            {"name": "not_empty", "state": "passed", "severity": "error", "metadata": {}},
            {
                "name": "fresh",
                "state": "failed",
                "severity": "error",
                "summary": "newest row is 3 days old",
                "metadata": {},
            },
        ],
    },
    {
        "kind": "asset",
        "name": "report",
        "state": "skipped",
        "seconds": None,
        "why": "check fresh of orders blocks",
        "summary": None,
        "problem": None,
        "metadata": {},
        "checks": [],
    },
]


def run(**changed: Any) -> dict[str, Any]:
    """A run whose check has failed."""
    document = {
        "id": 17,
        "uuid": "0123456789abcdef",
        "location": "sales",
        "repository": "__repository__",
        "job": "nightly",
        "select": None,
        "state": "failed",
        "why": "check",
        "summary": None,
        "by": {"kind": "cli", "user": "ada"},
        "key": None,
        "params": {},
        "tags": {},
        "retry_of": None,
        "scheduled_for": None,
        "code": {"generation": 9, "manifest": "ab", "late": []},
        "environment": "0123456789abcdef",
        "queued": AT,
        "started": AT,
        "ended": AT + 1,
        "attempts": [dict(ATTEMPT)],
        "steps": [dict(step) for step in STEPS],
        "dagster_run": None,
    }
    return {**document, **changed}


def going_on(**changed: Any) -> dict[str, Any]:
    """The same, before it has told of a step."""
    attempt = {**ATTEMPT, "state": "running", "ended": None, "exit": None, "why": None}
    started = {"state": "running", "why": None, "ended": None, "steps": [], "attempts": [attempt]}
    return run(**{**started, **changed})


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """What the topic `runs` tells of it at each change."""
    short = {k: v for k, v in document.items() if k not in ("steps", "attempts")}
    return {**short, "attempt": len(document["attempts"]), "counts": {}}
