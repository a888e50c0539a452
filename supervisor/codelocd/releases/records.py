"""What is known of each release of a location beside its files: when it came, from where, by whom,
and what became of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from codeloc_envs.files import mapping, of_type, read_record, replace_text, texts

FILE = "index.json"

ReleaseState = Literal["current", "former", "failed", "unused"]
"""`former` has served, `failed` did not load the last time that it was to, `unused` never was."""


@dataclass(frozen=True, slots=True)
class ReleaseOrigin:
    """Where the files came from: a folder, and the commit of it where one was named."""

    folder: str = ""
    ref: str | None = None
    commit: str | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> ReleaseOrigin:
        """Raises TypeError for another shape."""
        found = {each.name: data.get(each.name) for each in fields(cls)}
        for name, value in found.items():
            of_type(value, str if name == "folder" else (str, type(None)))
        return cls(**found)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """One release. `at` is when it was last deployed, in Unix seconds; `uid` and `user` are who
    did. `problem`: why it did not load the last time."""

    id: str
    at: float = 0.0
    uid: int | None = None
    user: str | None = None
    origin: ReleaseOrigin = field(default_factory=ReleaseOrigin)
    files: int = 0
    bytes: int = 0
    served: bool = False
    problem: str | None = None

    def state(self, current: str | None) -> ReleaseState:
        if self.id == current:
            return "current"
        if self.problem is not None:
            return "failed"
        return "former" if self.served else "unused"

    @classmethod
    def of(cls, data: Any) -> ReleaseRecord:
        """Raises TypeError or KeyError for another shape."""
        given = mapping(data)
        found = {each.name: given[each.name] for each in fields(cls)}
        for name in ("at", "files", "bytes", "served"):
            of_type(found[name], (int, float))
        of_type(found["id"], str)
        return cls(**{**found, "origin": ReleaseOrigin.of(mapping(found["origin"]))})


@dataclass(frozen=True, slots=True)
class ReleaseIndex:
    """The records of a location's releases by ID, and the way back: `stack` has those that a
    rollback returns to, the latest last. A deploy puts one on top, a rollback takes it off."""

    records: Mapping[str, ReleaseRecord] = field(default_factory=dict)
    stack: tuple[str, ...] = ()

    def noted(self, record: ReleaseRecord, **facts: Any) -> ReleaseIndex:
        """The same with other facts of one release."""
        return replace(self, records={**self.records, record.id: replace(record, **facts)})

    def without(self, gone: Collection[str]) -> ReleaseIndex:
        return ReleaseIndex(
            {release: each for release, each in self.records.items() if release not in gone},
            tuple(release for release in self.stack if release not in gone),
        )

    def deployed(self, release: str) -> ReleaseIndex:
        """It serves, as the newest."""
        kept = (each for each in self.stack if each != release)
        return replace(self, stack=(*kept, release))

    def rolled_back(self, release: str) -> ReleaseIndex:
        """It serves again: what came after it is no way back any more."""
        if release not in self.stack:
            return self.deployed(release)
        return replace(self, stack=self.stack[: self.stack.index(release) + 1])

    def before(self, current: str | None) -> ReleaseRecord | None:
        """What a rollback goes back to; from the files in place, the last that served."""
        stack = self.stack
        if current is not None:
            stack = stack[: stack.index(current)] if current in stack else ()
        return self.records.get(stack[-1]) if stack else None

    def newest_first(self) -> list[ReleaseRecord]:
        order = {release: number for number, release in enumerate(self.stack)}
        records = self.records.values()
        return sorted(records, key=lambda r: (order.get(r.id, -1), r.at, r.id), reverse=True)

    def to_remove(self, current: str | None, kept: int) -> list[str]:
        """The IDs beyond the newest `kept` of those that served, and of those that did not. The
        current one stays, and counts."""
        others = [each for each in self.newest_first() if each.id != current]
        good = [each.id for each in others if each.served and each.problem is None]
        bad = [each.id for each in others if each.id not in good]
        return [*good[max(0, kept - (current is not None)) :], *bad[kept:]]

    def named(self, beginning: str, location: str) -> ReleaseRecord:
        """The release whose ID begins so. Raises UnknownRelease."""
        found = [each for release, each in self.records.items() if release.startswith(beginning)]
        if len(found) == 1 and beginning:
            return found[0]
        what = "several releases begin with" if len(found) > 1 else "there is no release"
        there = ", ".join(each.id[:SHORT] for each in found or self.newest_first()) or "none"
        raise UnknownRelease(f"{what} {beginning!r} of {location!r}; there are: {there}")


class UnknownRelease(Exception):
    """No release has this beginning, or several have: `str()` is one line."""


SHORT = 12
"""Digits of an ID that are shown."""


# --- the file ----------------------------------------------------------------------------------


def read(folder: Path, present: Collection[str]) -> ReleaseIndex:
    """That of the releases that are present. Of one without a record, because the file was damaged,
    the ID alone is known. Raises OSError."""
    known = read_record(folder / FILE, _index, "who deployed what is not known any more")
    known = known or ReleaseIndex()
    records = {each: known.records.get(each) or ReleaseRecord(each) for each in present}
    return ReleaseIndex(records, tuple(each for each in known.stack if each in records))


def write(folder: Path, index: ReleaseIndex) -> None:
    """Raises OSError."""
    document = {
        "releases": {release: asdict(record) for release, record in index.records.items()},
        "stack": index.stack,
    }
    replace_text(folder / FILE, json.dumps(document, sort_keys=True))


def _index(data: Any) -> ReleaseIndex:
    found = mapping(mapping(data)["releases"])
    records = {release: ReleaseRecord.of(record) for release, record in found.items()}
    return ReleaseIndex(records, texts(data["stack"]))
