"""Merges the snapshots of all locations into one versioned view, and compares two of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from codelocd.core.weight import HEAVY, is_heavy, weight
from codelocd.model import Snapshot

if TYPE_CHECKING:
    from codelocd.documents.definitions import (
        AssetNode,
        Conflict,
        Counts,
        DefinitionKind,
        Edge,
        Listed,
        ListedAsset,
        Relations,
    )

Identity = tuple[str, str, str, str | tuple[str, ...], str | None]
"""(location, repository, kind, key or name, name of a check)."""


def identity(definition: Listed) -> Identity:
    """What makes a definition the same one in another revision."""
    where = (definition["location"], definition["repository"], definition["kind"])
    if definition["kind"] == "asset":
        return (*where, tuple(definition["key"]), None)
    if definition["kind"] == "asset_check":
        return (*where, tuple(definition["key"]), definition["name"])
    return (*where, definition["name"], None)


LARGE = 2000
"""Definitions from which on it takes more than some milliseconds to compare or encode them."""

KINDS: tuple[DefinitionKind, ...] = (
    "asset",
    "asset_check",
    "job",
    "resource",
    "schedule",
    "sensor",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What one location's new snapshot changed; `before` is what `changed` was, in its order.

    `fields`: for each of `changed`, its fields that differ, `{"cron": ["0 6 * * *", "0 7 * * *"]}`.
    `moved`: definitions stand at other places in their files.
    """

    added: tuple[Listed, ...] = ()
    changed: tuple[Listed, ...] = ()
    removed: tuple[Listed, ...] = ()
    before: tuple[Listed, ...] = ()
    fields: list[dict[str, list[Any]]] = field(default_factory=list)
    moved: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    @property
    def is_large(self) -> bool:
        parts = self.added, self.changed, self.removed
        return sum(map(len, parts)) >= LARGE or is_heavy([*parts, self.fields])


@dataclass(frozen=True, slots=True)
class ListedLocation:
    """What one location lists, how many definitions of each kind, and what they weigh, up to HEAVY
    (core/weight)."""

    listed: Mapping[Identity, Listed]
    counts: Counts
    weight: int = 0

    @property
    def is_large(self) -> bool:
        """Whether the loop must not go through it."""
        return len(self.listed) >= LARGE or self.weight >= HEAVY

    @classmethod
    def of(cls, location: str, definitions: Iterable[Mapping[str, Any]]) -> ListedLocation:
        """They come as a runner told them, without `location`."""
        listed: dict[Identity, Listed] = {}
        for each in definitions:
            definition = cast("Listed", {"location": location, **each})
            listed[identity(definition)] = definition
        counts: Counts = dict.fromkeys(KINDS, 0)
        for definition in listed.values():
            counts[definition["kind"]] += 1
        return cls(listed, counts, weight([*listed.values()]))


NOTHING = ListedLocation({}, dict.fromkeys(KINDS, 0))


@dataclass(frozen=True, slots=True)
class Succession:
    """A location's next entry, compared with the one that it replaces."""

    former: ListedLocation
    entry: ListedLocation
    difference: Difference

    @classmethod
    def of(cls, former: ListedLocation, entry: ListedLocation) -> Succession:
        return cls(former, entry, compare(former.listed, entry.listed))


@dataclass(frozen=True, slots=True)
class Prepared(Snapshot):
    """A large snapshot whose entry is made already, by another thread: its `definitions` are empty.

    `body`: its JSON, where that is still to be kept.
    """

    succession: Succession
    body: bytes | None

    @classmethod
    def of(
        cls, location: str, snapshot: Snapshot, former: ListedLocation, body: bytes | None = None
    ) -> Prepared:
        """On any thread. `former`: the present entry of the location."""
        found = Succession.of(former, ListedLocation.of(location, snapshot.definitions))
        facts = snapshot.loader, snapshot.python, snapshot.load_seconds
        return cls(*facts, (), snapshot.sources, found, body)

    def plain(self) -> Snapshot:
        """What there is left to know once the entry is listed."""
        return Snapshot(self.loader, self.python, self.load_seconds, (), self.sources)


@dataclass(frozen=True, slots=True)
class Registry:
    """The merged view. `revision` grows with each change of what it lists."""

    revision: int = 0
    by_location: Mapping[str, ListedLocation] = field(default_factory=dict)

    def publish(
        self, location: str, definitions: Iterable[Mapping[str, Any]]
    ) -> tuple[Registry, Difference]:
        """The registry with these definitions as those of `location`.

        They come as a runner told them, without `location`.
        """
        found = Succession.of(self.entry(location), ListedLocation.of(location, definitions))
        return self.succeeded(location, found), found.difference

    def withdraw(self, location: str) -> tuple[Registry, Difference]:
        """The registry without the definitions of `location`."""
        found = Succession.of(self.entry(location), NOTHING)
        return self.succeeded(location, found), found.difference

    def succeeded(self, location: str, found: Succession) -> Registry:
        """The registry with that entry; it was compared with the present one."""
        if not (found.difference or found.difference.moved):
            return self
        by_location = {**self.by_location, location: found.entry}
        if not found.entry.listed:
            del by_location[location]
        return replace(self, revision=self.revision + 1, by_location=by_location)

    def entry(self, location: str) -> ListedLocation:
        """What `location` lists."""
        return self.by_location.get(location, NOTHING)

    def is_large(self, locations: Iterable[str] | None = None) -> bool:
        """Whether these locations, or all, list so much that the loop must not go through it."""
        names = self.by_location if locations is None else locations
        entries = [self.entry(name) for name in names]
        count = sum(len(each.listed) for each in entries)
        return count >= LARGE or sum(each.weight for each in entries) >= HEAVY

    def definitions(
        self, locations: Iterable[str] | None = None, kind: str | None = None
    ) -> list[Listed]:
        """What is listed, sorted by location and then as its code has it."""
        names = sorted(self.by_location if locations is None else locations)
        return [
            definition
            for name in names
            for definition in self.entry(name).listed.values()
            if kind is None or definition["kind"] == kind
        ]

    def assets(self) -> list[ListedAsset]:
        """The assets of all locations, in the same order."""
        return [each for each in self.definitions() if each["kind"] == "asset"]

    def counts(self, location: str) -> Counts:
        """How many definitions of each kind `location` lists."""
        return {**self.entry(location).counts}


def compare(old: Mapping[Identity, Listed], new: Mapping[Identity, Listed]) -> Difference:
    """What came, changed and went. A definition that only moved within its file is the same."""
    if not (old and new):
        return Difference(added=tuple(new.values()), removed=tuple(old.values()))
    altered = [i for i in new if i in old and new[i] != old[i]]
    changed, fields = [], []
    for i in altered:
        before, after = _content(old[i]), _content(new[i])
        if before != after:
            changed.append(i)
            fields.append(_differing(before, after))
    return Difference(
        added=tuple([new[i] for i in new if i not in old]),
        changed=tuple([new[i] for i in changed]),
        removed=tuple([old[i] for i in old if i not in new]),
        before=tuple([old[i] for i in changed]),
        fields=fields,
        moved=len(altered) > len(changed),
    )


def _differing(old: Content, new: Content) -> dict[str, list[Any]]:
    names = dict.fromkeys((*new, *old))
    values = {name: [old.get(name), new.get(name)] for name in names}
    return {name: both for name, both in values.items() if both[0] != both[1]}


CODE_REFERENCES = "dagster/code_references"
"""Metadata by which Dagster says what `source` says: with the lines of the file."""


Content = dict[str, Any]
"""What a definition says, whatever its kind."""


def _content(definition: Listed) -> Content:
    content: Content = {name: value for name, value in definition.items() if name != "source"}
    metadata = content.get("metadata")
    if metadata and CODE_REFERENCES in metadata:
        content["metadata"] = {k: v for k, v in metadata.items() if k != CODE_REFERENCES}
    if content.get("execution_set"):  # its name is another asset's, which may come and go
        content["execution_set"] = {**content["execution_set"], "name": None}
    return content


def edges(registry: Registry) -> list[Edge]:
    """Dependencies of an asset in one location on an asset that another location produces.

    A location that defines the asset itself depends on no other for it.
    """
    owners = _owners(registry)
    found: list[Edge] = [
        {"from": owner, "to": _node(asset)}
        for asset in registry.assets()
        if not _stands_in(asset, owners)
        for dep in dict.fromkeys(map(tuple, asset["deps"]))
        for owner in _producers(owners, dep, asset)
        if owner["location"] != asset["location"]
    ]
    _forget(owners)
    return found


def relations(registry: Registry, asset: ListedAsset) -> Relations:
    """Who produces this asset, what it is made from and what is made from it, in any location.

    `producers` are all that define its key (several: a conflict; none: it only is described).
    """
    owners = _owners(registry)
    key, deps = tuple(asset["key"]), dict.fromkeys(map(tuple, asset["deps"]))
    sources = [_node(asset)] if not asset.get("external") else owners.get(key) or [_node(asset)]
    found: Relations = {
        "producers": owners.get(key, []),
        "upstream": [
            {"key": list(dep), "producers": _producers(owners, dep, asset)} for dep in deps
        ],
        "downstream": [
            _node(other)
            for other in registry.assets()
            if list(key) in map(list, other["deps"]) and not _stands_in(other, owners)
            if any(one in sources for one in _producers(owners, key, other) or sources)
        ],
    }
    _forget(owners)
    return found


def conflicts(registry: Registry) -> list[Conflict]:
    """Assets that more than one location, or repository, defines."""
    owners = _owners(registry)
    several = (each for each in owners.items() if len(each[1]) > 1)
    found: list[Conflict] = [
        {"kind": "asset", "key": list(key), "definitions": each}
        for key, each in merge(*_sorted_pieces(several), key=itemgetter(0))
    ]
    _forget(owners)
    return found


def _sorted_pieces(pairs: Iterator[Any]) -> Iterator[list[Any]]:
    """To sort very many at once would hold up all other threads."""
    while piece := sorted(islice(pairs, LARGE), key=itemgetter(0)):
        yield piece


Owners: TypeAlias = "dict[tuple[str, ...], list[AssetNode]]"
"""Of each key the assets that produce it: all but those that are only described."""


def _owners(registry: Registry) -> Owners:
    owners: dict[tuple[str, ...], list[AssetNode]] = defaultdict(list)
    for asset in registry.assets():
        if not asset.get("external"):
            owners[tuple(asset["key"])].append(_node(asset))
    return owners


def _forget(owners: Owners) -> None:
    """One by one: to drop them all in one go would hold up all other threads."""
    while owners:
        owners.popitem()


def _producers(owners: Owners, key: tuple[str, ...], consumer: ListedAsset) -> list[AssetNode]:
    """Who makes `key` for `consumer`: its own repository, else its own location, else others."""
    found = owners.get(key, [])
    own = [one for one in found if one["location"] == consumer["location"]]
    nearest = [one for one in own if one["repository"] == consumer["repository"]]
    return nearest or own or found


def _stands_in(asset: ListedAsset, owners: Owners) -> bool:
    """Whether it only describes what another location defines: that one's dependencies hold."""
    return bool(asset.get("external")) and tuple(asset["key"]) in owners


def _node(asset: ListedAsset) -> AssetNode:
    return {
        "location": asset["location"],
        "repository": asset["repository"],
        "key": asset["key"],
    }
