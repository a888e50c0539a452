"""The journal: numbered entries of what happened to locations, in memory and on disk."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from codeloc_envs.files import make_folder
from codelocd.storage.log_files import lines_backwards

if TYPE_CHECKING:
    from codelocd.documents.events import JournalEntry
    from codelocd.documents.locations import LocationState, TimingDocument

KEPT = 1_000
"""Entries kept in memory; earlier ones are read from the files."""

NEEDED = {"seq": (int,), "at": (int, float), "event": (str,), "location": (str, type(None))}
"""Types without which a line is no entry; one of another version may lack the rest (`TOLD`)."""

TOLD = {
    "before": str,
    "after": str,
    "generation": int,
    "detail": str,
    "attempt": int,
    "by": str,
    "timing": dict,
    "added": int,
    "changed": int,
    "removed": int,
}

STAGES = ("event", "decision", "start", "import", "snapshot", "publish", "total")

LATEST = 2**53
"""In Unix seconds: from then on, no moment can be told."""

ROTATE_BYTES = 8 * 1024 * 1024
"""Size at which the file is set aside as `.1`; the one before it is dropped."""


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """Where the time of a load went, and of how many definitions it brought a change.

    The numbers are None where the load failed.
    """

    timing: TimingDocument
    added: int | None = None
    changed: int | None = None
    removed: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, in the shape of `events --json`."""

    seq: int
    at: float
    location: str | None
    event: str
    before: LocationState | None
    after: LocationState | None
    generation: int | None = None
    detail: str | None = None
    attempt: int | None = None
    by: str | None = None
    load: LoadOutcome | None = None

    def as_json(self) -> JournalEntry:
        load = self.load
        return {
            "seq": self.seq,
            "at": self.at,
            "location": self.location,
            "event": self.event,
            "before": self.before,
            "after": self.after,
            "generation": self.generation,
            "detail": self.detail,
            "attempt": self.attempt,
            "by": self.by,
            "timing": None if load is None else load.timing,
            "added": None if load is None else load.added,
            "changed": None if load is None else load.changed,
            "removed": None if load is None else load.removed,
        }


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """Which entries: the newest `count`, of these locations or of all.

    `before`: of those that came before the entry of this number. `after`: of those that came
    after the entry of that number, and of them the oldest.
    """

    count: int
    locations: Collection[str] | None = None
    after: int | None = None
    before: int | None = None

    def chosen(self, newest_first: Iterable[JournalEntry]) -> list[JournalEntry]:
        """Oldest first."""
        if self.after is None:
            return list(islice(filter(self._fits, newest_first), self.count))[::-1]
        after = self.after
        late = takewhile(lambda entry: entry["seq"] > after, newest_first)
        return list(deque(filter(self._fits, late), maxlen=self.count))[::-1]

    def _fits(self, entry: JournalEntry) -> bool:
        early = self.before is None or entry["seq"] < self.before
        return early and (self.locations is None or entry["location"] in self.locations)


class Journal:
    """Appends entries to memory and to a file; a disk that is full loses only the file's copy.

    Numbers go on where those in the file end: an earlier daemon wrote them.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._seq = 0
        if path is not None:
            self._seq = _last_number(path)
            _end_last_line(path)

    @property
    def last_number(self) -> int:
        """Of the newest entry; 0 where there is none."""
        return self._seq

    def write(
        self,
        event: str,
        location: str | None = None,
        *,
        before: LocationState | None = None,
        after: LocationState | None = None,
        generation: int | None = None,
        detail: str | None = None,
        attempt: int | None = None,
        by: str | None = None,
        load: LoadOutcome | None = None,
    ) -> JournalEntry:
        """The new entry, in the shape of `events --json`."""
        self._seq += 1
        facts = before, after, generation, detail, attempt, by, load
        entry = Entry(self._seq, self._clock(), location, event, *facts)
        self._entries.append(entry)
        document = entry.as_json()
        self._append(document)
        return document

    def last(self, count: int, locations: Collection[str] | None = None) -> list[Entry]:
        """The newest `count` entries of this daemon, oldest first; of these locations or of all."""
        newest = (
            entry
            for entry in reversed(self._entries)
            if locations is None or entry.location in locations
        )
        return list(islice(newest, count))[::-1]

    def reading(self, query: JournalQuery) -> tuple[bool, Callable[[], list[JournalEntry]]]:
        """What gives the entries that `query` asks for, on any thread; and whether it has to read
        the files for that, because memory does not reach back so far."""
        first = self._entries[0].seq if self._entries else self._seq + 1
        found = query.chosen(entry.as_json() for entry in reversed(self._entries))
        complete = len(found) == query.count if query.after is None else query.after >= first - 1
        path = self._path
        if complete or path is None:
            return False, lambda: found
        entries = list(self._entries)

        def read() -> list[JournalEntry]:
            recent = (entry.as_json() for entry in reversed(entries))
            older = (e for e in _on_disk(path, query.locations) if e["seq"] < first)
            return query.chosen(chain(recent, older))

        return True, read

    def _append(self, document: JournalEntry) -> None:
        if self._path is None:
            return
        line = json.dumps(document) + "\n"
        with contextlib.suppress(OSError):
            try:
                _append_line(self._path, line)
            except FileNotFoundError:  # its folder was removed, or was never there
                make_folder(self._path.parent)
                _append_line(self._path, line)


def _append_line(path: Path, line: str) -> None:
    file = os.open(path, _APPENDED, 0o600)  # without a buffer: each event costs one of these
    try:
        if os.fstat(file).st_size <= ROTATE_BYTES:
            rest = line.encode()
            while rest:
                rest = rest[os.write(file, rest) :]
            return
    finally:
        os.close(file)
    path.replace(path.with_suffix(".1"))
    _append_line(path, line)


_APPENDED = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def stored(path: Path, query: JournalQuery) -> list[JournalEntry]:
    """The entries that stand on disk and that `query` asks for. Raises PermissionError."""
    return query.chosen(_on_disk(path, query.locations))


def _on_disk(path: Path, locations: Collection[str] | None = None) -> Iterator[JournalEntry]:
    """All entries, the newest first; where `locations` are given, few others than theirs."""
    needles = None if locations is None else [json.dumps(name).encode() for name in locations]
    for file in (path, path.with_suffix(".1")):
        yield from _backwards(file, needles)


def _end_last_line(path: Path) -> None:
    """The end of a daemon may have cut it: what follows shall not be part of it."""
    with contextlib.suppress(OSError), path.open("rb+") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def _last_number(path: Path) -> int:
    with contextlib.suppress(OSError):
        for entry in _on_disk(path):
            return int(entry["seq"])
    return 0


def _backwards(path: Path, needles: list[bytes] | None) -> Iterator[JournalEntry]:
    """The last line may have been cut by the end of its daemon."""
    try:
        with path.open("rb") as file:
            for line in lines_backwards(file):
                wanted = needles is None or any(needle in line for needle in needles)
                entry = _decoded(line) if wanted else None
                if entry is not None:
                    yield entry
    except (FileNotFoundError, IsADirectoryError):
        return


def _decoded(line: bytes) -> JournalEntry | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    for name, kinds in NEEDED.items():
        if type(entry.get(name)) not in kinds:
            return None
    entry.setdefault("location", None)
    for name, kind in TOLD.items():
        if type(entry.get(name)) is not kind:
            entry[name] = None
    if entry["timing"] is not None:
        entry["timing"] = _timing(entry["timing"])
    return cast("JournalEntry", entry) if 0 <= entry["at"] < LATEST else None


def _timing(kept: dict[str, object]) -> dict[str, object]:
    """The seconds of each stage; None for what is no number."""
    return {
        stage: kept.get(stage) if type(kept.get(stage)) in (int, float) else None
        for stage in STAGES
    }
