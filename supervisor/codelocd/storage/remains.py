"""What a daemon has left on disk, for who asks when none runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from codelocd.core.registry import Registry
from codelocd.storage import journal
from codelocd.storage.logs import Logs
from codelocd.storage.snapshots import Documents, Snapshots

JOURNAL = "events.jsonl"
LOGS = "logs"
SNAPSHOTS = "snapshots"
ENTRIES = "last"
"""Names in the daemon's folder of state; `last` has a document for each location."""

LAST_LINES = 20
"""Lines of output that `show` gives."""

_GONE = (
    *("uptime", "pid", "memory", "cpu", "reloading", "generation", "start_method"),
    *("phase_seconds", "last_answer"),
)
"""Keys of what no longer runs."""


class Remains:
    """Answers as the daemon did that kept its state in `folder`. Raises PermissionError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries = {each["name"]: each for each in Documents(folder / ENTRIES).all()}

    @property
    def at(self) -> float | None:
        """When the last thing happened that is known, in Unix seconds; None if nothing did."""
        last = self.events(None, 1)
        return float(last[0]["at"]) if last else None

    @property
    def locations(self) -> list[str]:
        return sorted(self._entries)

    def events(self, locations: Collection[str] | None, count: int) -> list[dict[str, Any]]:
        return journal.stored(self._folder / JOURNAL, count, locations)

    def logs(self, locations: Collection[str], count: int) -> list[dict[str, Any]]:
        logs = Logs(self._folder / LOGS)
        return [line.document() for line in logs.lines(locations, count)]

    def show(self, location: str) -> dict[str, Any]:
        """The `show LOCATION --json` document; KeyError."""
        return {
            **self._entries[location],
            **dict.fromkeys(_GONE),
            "definitions": self.registry().definitions([location]),
            "sources": [],
            "output": self.logs([location], LAST_LINES),
            "left_at": self.at,
        }

    def registry(self) -> Registry:
        """The last good definitions of all; none of a location that was stopped."""
        found = Registry()
        snapshots = Snapshots(self._folder / SNAPSHOTS)
        for name in self.locations:
            snapshot = snapshots.last(name)
            if snapshot is not None:
                found, _ = found.publish(name, snapshot.definitions)
        return found
