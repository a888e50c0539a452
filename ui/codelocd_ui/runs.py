"""The runs that the page lists: the daemon's newest, and what a page may order of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

MOST_RUNS, MOST_UNFINISHED = 100, 400
"""Runs of which a tab is told at its beginning, the newest; it asks for others."""
UNFINISHED = frozenset({"queued", "starting", "running"})
RUN_ORDERS: Mapping[str, frozenset[str]] = {
    "run": frozenset(
        {
            *("location", "repository", "names", "select", "upstream", "checks"),
            *("params", "config", "tags", "timeout", "key"),
        }
    ),
    "run_cancel": frozenset({"id", "kill"}),
    "run_retry": frozenset({"id"}),
    "schedule_set": frozenset({"location", "repository", "name", "enabled"}),
}
"""Parameters that a page may give, by method of the daemon."""
RUN_READS = frozenset({"runs", "run_show", "run_logs", "schedules"})
BY = {"kind": "page"}
"""What a run says of who asked for it."""

Summary = dict[str, Any]
"""A run without its steps and attempts, but with the number of the newest attempt (`attempt`) and
how many steps there are in each state (`counts`)."""


def summary(run: Mapping[str, Any]) -> Summary:
    """Of the document of a run, whole or a summary already."""
    steps, attempts = run.get("steps") or [], run.get("attempts") or []
    counted = dict(Counter(each["state"] for each in steps))
    found = {"counts": counted, "attempt": len(attempts), **run}
    found.pop("steps", None)
    found.pop("attempts", None)
    return found


def unknown_params(order: str, params: Mapping[str, Any]) -> list[str]:
    """Those that a page has no business with."""
    return sorted(name for name in params if name not in RUN_ORDERS[order])


class KnownRuns:
    """Runs as the daemon told of them last: the unfinished ones, and the newest that have ended."""

    def __init__(self) -> None:
        self._by_id: dict[int, Summary] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def replace(self, runs: Sequence[Mapping[str, Any]]) -> None:
        self._by_id = {each["id"]: summary(each) for each in runs}

    def change(self, run: Mapping[str, Any]) -> Summary:
        """Take over what a run has become; what tabs are told of it."""
        found = summary(run)
        self._by_id[found["id"]] = found
        ended = [each for each, its in self._by_id.items() if its["state"] not in UNFINISHED]
        for old in sorted(ended)[: max(len(ended) - MOST_RUNS, 0)]:
            del self._by_id[old]
        return found

    def newest_first(self) -> list[Summary]:
        """What a tab begins with: of many that wait, the newest."""
        found = [self._by_id[each] for each in sorted(self._by_id, reverse=True)]
        waiting = [each["id"] for each in found if each["state"] == "queued"]
        left_out = set(waiting[MOST_UNFINISHED:])
        return [each for each in found if each["id"] not in left_out]

    def location_of(self, run: int) -> str | None:
        """None: nothing was told of such a run."""
        found = self._by_id.get(run)
        return None if found is None else str(found["location"])
