"""Answers commands from what a daemon has left on disk, when none runs."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.core.registry import Registry
from codelocd.storage import journal
from codelocd.storage.journal import JournalQuery
from codelocd.storage.logs import LogQuery, Logs
from codelocd.storage.snapshots import Documents, Snapshots

if TYPE_CHECKING:
    from codelocd.documents.answers import LogsDocument
    from codelocd.documents.events import JournalEntry
    from codelocd.documents.locations import LeftLocation

JOURNAL = "events.jsonl"
LOGS = "logs"
SNAPSHOTS = "snapshots"
ENTRIES = "last"
SERVING = "serving"
RUNS = "runs"
BOOK = "book.sqlite"
"""Names in the daemon's folder of state. `last` has a document for each location, `serving` the
file that its runner holds a lock on while it serves. `runs` has all of runs, `book.sqlite` in it
their records; it is there once there has been a run."""

LAST_LINES = 20
"""Lines of output that `show` gives."""


class Remains:
    """Answers as the daemon did that kept its state in `folder`. Raises PermissionError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        from codelocd.core import (
            whole,  # what is declared takes long to import: daemons need it not
        )

        kept = map(whole.kept_location, Documents(folder / ENTRIES).all())
        self._entries = {each["name"]: each for each in kept}

    @property
    def at(self) -> float | None:
        """When the last thing happened that is known, in Unix seconds; None if nothing did."""
        last = self.events(None, 1)
        return float(last[0]["at"]) if last else None

    @property
    def locations(self) -> list[str]:
        return sorted(self._entries)

    def events(
        self, locations: Collection[str] | None, count: int, before: int | None = None
    ) -> list[JournalEntry]:
        """The last `count` entries of the journal, or the last before that one."""
        query = JournalQuery(count, locations, before=before)
        return journal.stored(self.folder / JOURNAL, query)

    def logs(self, locations: Collection[str], query: LogQuery) -> LogsDocument:
        """The answer of the method `logs`."""
        logs = Logs(self.folder / LOGS)
        _, read = logs.reading(locations, query)
        lines, more = read()
        return {
            "lines": [line.document() for line in lines],
            "last": logs.last_numbers(locations),
            "more": more,
        }

    def show(self, location: str) -> LeftLocation:
        """The `show LOCATION --json` document; KeyError."""
        return {
            **self._entries[location],
            "uptime": None,
            "pid": None,
            "memory": None,
            "cpu": None,
            "reloading": None,
            "generation": None,
            "start_method": None,
            "phase_seconds": None,
            "last_answer": None,
            "definitions": self.registry().definitions([location]),
            "sources": [],
            "output": self.logs([location], LogQuery(LAST_LINES))["lines"],
            "left_at": self.at,
        }

    def registry(self) -> Registry:
        """The last good definitions of all; none of a location that was stopped."""
        found = Registry()
        snapshots = Snapshots(self.folder / SNAPSHOTS)
        for name in self.locations:
            snapshot = snapshots.last(name)
            if snapshot is not None:
                found, _ = found.publish(name, snapshot.definitions)
        return found
