"""Tells clients, the journal and the counts of `status` what becomes of runs."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Any

from codelocd.daemon.location import RunCounts
from codelocd.daemon.locations import Locations
from codelocd.daemon.publisher import Publisher
from codelocd.daemon.runs.parts import present
from codelocd.daemon.subscriptions import Hub
from codelocd.runs.encoding import run_listed, run_summary
from codelocd.runs.model import RunId, RunRecord, RunState

LAST = 50
"""Runs that have ended which a new subscriber of `runs` is told of."""


class RunNews:
    """The topic `runs`, the entries `run-started` and `run-ended`, and what `status` counts."""

    def __init__(self, hub: Hub, publisher: Publisher, locations: Locations) -> None:
        self._hub = hub
        self._publisher = publisher
        self._locations = locations
        self._unfinished: dict[RunId, RunRecord] = {}
        self._last: deque[RunRecord] = deque(maxlen=LAST)
        self._of: defaultdict[str, dict[RunId, RunState]] = defaultdict(dict)

    def begin(self, unfinished: Iterable[RunRecord], ended: Iterable[RunRecord]) -> None:
        """What there is already; `ended`: the newest first, at most LAST."""
        self._last.extend(reversed(list(ended)))
        for run in unfinished:
            self._know(run)

    def changed(self, before: RunRecord | None, run: RunRecord) -> None:
        if before is not None and before.state.is_final:
            return
        self._know(run)
        name = run.wish.location
        self._hub.publish("runs", {"event": "run", "run": run_summary(run, present())}, name)
        location = self._locations.get(name)
        if location is None:
            return
        by = told_by(run)
        if before is not None and before.started is None and run.started is not None:
            self._publisher.told_of_run(location, "run-started", _named(run), by)
        if run.state.is_final:
            self._publisher.told_of_run(location, "run-ended", _outcome(run), by)

    def told(self, run: RunRecord, attempt: int, document: Mapping[str, Any]) -> None:
        news = {"event": "told", "id": run.id, "attempt": attempt, "told": dict(document)}
        self._hub.publish("runs", news, run.wish.location)

    def full_state(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """What a subscriber of these locations, or of all, starts from."""
        wanted = None if names is None else set(names)
        now = present()
        found = [*self._unfinished.values(), *self._last]
        found.sort(key=lambda run: -run.id)
        return {
            "runs": [
                run_listed(run, now)
                for run in found
                if wanted is None or run.wish.location in wanted
            ]
        }

    def count_again(self, name: str) -> None:
        """The location is another object than before: it was added again."""
        location = self._locations.get(name)
        if location is not None:
            states = [*self._of[name].values()] if name in self._of else []
            queued = states.count(RunState.QUEUED)
            location.runs = RunCounts(len(states) - queued, queued)

    def _know(self, run: RunRecord) -> None:
        name = run.wish.location
        if run.state.is_final:
            self._unfinished.pop(run.id, None)
            self._of[name].pop(run.id, None)
            self._last.append(run)
            if not self._of[name]:
                del self._of[name]
        else:
            self._unfinished[run.id] = run
            self._of[name][run.id] = run.state
        self.count_again(name)


def told_by(run: RunRecord) -> str:
    """What asked for it, as the journal says it."""
    by = run.wish.by
    return str(by.get("name") or by.get("user") or by.get("kind") or "client")


def _named(run: RunRecord) -> str:
    what = run.wish.job or ", ".join(run.wish.select or ()) or "all assets"
    return f"run {run.id}: {what}"


def _outcome(run: RunRecord) -> str:
    why = f" ({run.why})" if run.why is not None else ""
    return f"{_named(run)} {run.state.value}{why}"
