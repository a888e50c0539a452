"""Which news of locations is worth a notification, and when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from codelocd.documents.locations import LocationStatus

Condition = Literal["well", "failed", "stale"]

PERIOD = 60.0
"""Seconds between two notifications about one location."""


@dataclass(frozen=True, slots=True)
class Notified:
    """What was told of a location last, and when (monotonic); None: nothing yet."""

    condition: Condition = "well"
    at: float | None = None


def condition_of(entry: LocationStatus) -> Condition | None:
    """How a location is, by its entry of `status`; None while that is about to turn out: an attempt
    or a pause is under way, or the location is stopped."""
    if entry["state"] == "failed":
        return "failed"
    if entry["state"] == "serving" and entry["reloading"] is None:
        return "stale" if entry["stale"] else "well"
    return None


def wait_before(told: Notified, condition: Condition, now: float) -> float | None:
    """Seconds until it is told that the location is in this condition; None: that is known."""
    if condition == told.condition:
        return None
    return 0.0 if told.at is None else max(0.0, told.at + PERIOD - now)


def message(
    entry: LocationStatus, before: Condition, after: Condition, at: float, daemon: Mapping[str, str]
) -> dict[str, object]:
    """The document of a notification. `at` is in Unix seconds."""
    problem = entry["problem"] if after != "well" else None
    summary = problem["summary"] if problem is not None else None
    event = "recovered" if after == "well" else after
    said = {"failed": "has failed", "stale": "serves older code than its files have"}.get(
        after, "serves again"
    )
    text = f"{entry['name']} {said}" + (f": {summary}" if summary else "")
    return {
        "text": text,
        "location": entry["name"],
        "event": event,
        "before": before,
        "summary": summary,
        "generation": entry["generation"],
        "at": at,
        **daemon,
    }
