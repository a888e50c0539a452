"""What happened to which location, when and why: numbered, kept in memory and on disk."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

KEPT = 10_000
"""Entries kept in memory."""

ROTATE_BYTES = 8 * 1024 * 1024
"""Size at which the file is set aside as `.1`; the one before it is dropped."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, in the shape of `events --json`."""

    seq: int
    at: float
    location: str | None
    event: str
    before: str | None
    after: str | None
    generation: int | None
    detail: str | None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Journal:
    """Appends entries to memory and to a file; a disk that is full loses only the file's copy."""

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._seq = 0

    def write(
        self,
        event: str,
        location: str | None = None,
        *,
        before: str | None = None,
        after: str | None = None,
        generation: int | None = None,
        detail: str | None = None,
    ) -> dict[str, Any]:
        """The new entry, in the shape of `events --json`."""
        self._seq += 1
        entry = Entry(self._seq, self._clock(), location, event, before, after, generation, detail)
        self._entries.append(entry)
        document = entry.as_json()
        self._append(document)
        return document

    def last(self, count: int, locations: Collection[str] | None = None) -> list[Entry]:
        """The newest `count` entries, oldest first; of these locations, or of all."""
        newest = (
            entry
            for entry in reversed(self._entries)
            if locations is None or entry.location in locations
        )
        return list(islice(newest, count))[::-1]

    def _append(self, document: Mapping[str, Any]) -> None:
        if self._path is None:
            return
        line = json.dumps(document) + "\n"
        with contextlib.suppress(OSError):
            try:
                _append_line(self._path, line)
            except FileNotFoundError:  # its folder was removed, or was never there
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _append_line(self._path, line)


def _append_line(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        if file.tell() <= ROTATE_BYTES:
            file.write(line)
            return
    path.replace(path.with_suffix(".1"))
    _append_line(path, line)


def stored(
    path: Path, count: int, locations: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """The newest `count` entries that stand on disk, oldest first; of these locations, or of all.

    Those of several daemons, one after the other, each with numbers of its own. Raises
    PermissionError.
    """
    found = (entry for file in (path, path.with_suffix(".1")) for entry in _backwards(file))
    chosen = (each for each in found if locations is None or each["location"] in locations)
    return list(islice(chosen, count))[::-1]


def _backwards(path: Path) -> Iterator[dict[str, Any]]:
    """The last line may have been cut by the end of its daemon."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.keys() >= set(Entry.__slots__):
            yield entry
