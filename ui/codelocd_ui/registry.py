"""The definitions as the page lists them: the few facts of each that a list or a graph shows."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from codelocd_ui.text import to_json

if TYPE_CHECKING:
    from codelocd.documents.definitions import Listed
    from codelocd.documents.events import DefinitionsNews, FullDefinitions

Row: TypeAlias = list[Any]
"""`[location, repository, kind, name, group, kinds, deps, flags, owners, tags]` of one definition.

`deps` are keys of assets, as text; of an asset check its asset, of a job its assets, of a schedule
or a sensor the names of its jobs. `flags`: "e" for an asset that another program makes.
`tags` are written `name=value`.
"""
Key: TypeAlias = tuple[str, str, str, str]


def row(definition: Listed) -> Row:
    """What the page lists of a definition."""
    facts = cast("dict[str, Any]", definition)
    return [
        facts["location"],
        facts["repository"],
        facts["kind"],
        facts["name"],
        facts.get("group") or "",
        facts.get("kinds") or [],
        _leads_to(facts),
        "e" if facts.get("external") else "",
        facts.get("owners") or [],
        [f"{name}={value}" for name, value in (facts.get("tags") or {}).items()],
    ]


def _leads_to(facts: dict[str, Any]) -> list[str]:
    match facts["kind"]:
        case "asset":
            return ["/".join(key) for key in facts["deps"]]
        case "asset_check":
            return ["/".join(facts["key"])]
        case "job":
            return ["/".join(key) for key in facts.get("assets") or ()]
        case "schedule" | "sensor":
            jobs = (facts.get("target") or {}).get("jobs") or ()
            return list(jobs) or [facts["job"]] * bool(facts.get("job"))
        case _:
            return []


def key(row: Row) -> Key:
    return row[0], row[1], row[2], row[3]


class ListedRows:
    """The rows of all locations, changed by what the daemon tells of them.

    Empty, with the revision 0, until the daemon has told the full state.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._rows: dict[Key, Row] = {}
        self._files: dict[Key, str] = {}
        self._encoded: tuple[tuple[int, int], bytes] | None = None
        self._changes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def replace(self, full: FullDefinitions) -> None:
        self.revision = full["revision"]
        self._rows, self._files = {}, {}
        for each in full["definitions"]:
            self._list(each)
        self._changes += 1

    def change(self, news: DefinitionsNews) -> dict[str, Any]:
        """Take over what changed in one location; the same in rows, for the page."""
        added, changed = _rows(news["added"]), _rows(news["changed"])
        removed = _rows(news["removed"])
        for gone in removed:
            self._rows.pop(key(gone), None)
            self._files.pop(key(gone), None)
        for come in (*news["added"], *news["changed"]):
            self._list(come)
        self.revision = news["revision"]
        self._changes += 1
        return {
            "location": news["location"],
            "generation": news["generation"],
            "revision": news["revision"],
            "seconds": news["seconds"],
            "timing": news["timing"],
            "start_method": news["start_method"],
            "added": added,
            "changed": changed,
            "removed": removed,
            "fields": [sorted(fields) for fields in news["fields"]],
        }

    def drop(self, location: str) -> None:
        """The location is no longer in the config."""
        self._rows = {name: made for name, made in self._rows.items() if name[0] != location}
        self._files = {name: file for name, file in self._files.items() if name[0] != location}
        self._changes += 1

    def _list(self, definition: Listed) -> None:
        made = row(definition)
        self._rows[key(made)] = made
        source = cast("dict[str, Any]", definition).get("source")
        if source:
            self._files[key(made)] = source["file"]

    def files(self) -> dict[str, list[Key]]:
        """The files in which definitions stand, with those of each."""
        found: dict[str, list[Key]] = {}
        for name, file in self._files.items():
            found.setdefault(file, []).append(name)
        return found

    @property
    def version(self) -> tuple[int, int]:
        """Changes with the rows."""
        return self.revision, self._changes

    def encoded(self) -> bytes:
        """All rows as JSON, compressed by gzip; made once for each version."""
        rows, version = list(self._rows.values()), self.version
        if self._encoded is None or self._encoded[0] != version:
            document = {"revision": self.revision, "rows": rows}
            self._encoded = version, gzip.compress(to_json(document), compresslevel=5)
        return self._encoded[1]


def _rows(listed: Iterable[Listed]) -> list[Row]:
    return [row(each) for each in listed]
