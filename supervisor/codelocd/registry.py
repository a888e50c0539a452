"""Snapshots of all locations merged into one versioned view, and the difference of two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Definition = Mapping[str, Any]
"""One definition in the shape of the contract, `location` included."""

Identity = tuple[str, str, str, str | tuple[str, ...], str | None]
"""(location, repository, kind, key or name, name of a check)."""


def identity(definition: Definition) -> Identity:
    """What makes a definition the same one in another revision."""
    where = (definition["location"], definition["repository"], definition["kind"])
    if definition["kind"] == "asset":
        return (*where, tuple(definition["key"]), None)
    if definition["kind"] == "asset_check":
        return (*where, tuple(definition["key"]), definition["name"])
    return (*where, definition["name"], None)


@dataclass(frozen=True, slots=True)
class Difference:
    """What one location's new snapshot changed."""

    added: tuple[Definition, ...] = ()
    changed: tuple[Definition, ...] = ()
    removed: tuple[Definition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Registry:
    """The merged view. `revision` grows with each change of what it lists."""

    revision: int = 0
    by_location: Mapping[str, Mapping[Identity, Definition]] = field(default_factory=dict)

    def publish(
        self, location: str, definitions: Iterable[Definition]
    ) -> tuple[Registry, Difference]:
        """The registry with these definitions (without `location`) as those of `location`."""
        named = [{"location": location, **definition} for definition in definitions]
        new = {identity(definition): definition for definition in named}
        return self._with(location, new)

    def withdraw(self, location: str) -> tuple[Registry, Difference]:
        """The registry without the definitions of `location`."""
        return self._with(location, {})

    def _with(
        self, location: str, new: Mapping[Identity, Definition]
    ) -> tuple[Registry, Difference]:
        old = self.by_location.get(location, {})
        difference = compare(old, new)
        if old == new:
            return self, difference
        by_location = {**self.by_location, location: new}
        if not new:
            del by_location[location]
        return replace(self, revision=self.revision + 1, by_location=by_location), difference

    def definitions(
        self, locations: Iterable[str] | None = None, kind: str | None = None
    ) -> list[Definition]:
        """What is listed, sorted by location and then as its code has it."""
        names = sorted(self.by_location if locations is None else locations)
        return [
            definition
            for name in names
            for definition in self.by_location.get(name, {}).values()
            if kind is None or definition["kind"] == kind
        ]

    def counts(self, location: str) -> dict[str, int]:
        """How many definitions of each kind `location` lists."""
        counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        for definition in self.by_location.get(location, {}).values():
            counts[definition["kind"]] += 1
        return counts


KINDS = ("asset", "asset_check", "job", "resource", "schedule", "sensor")


def compare(old: Mapping[Identity, Definition], new: Mapping[Identity, Definition]) -> Difference:
    """What came, changed and went. A definition that only moved within its file is the same."""
    return Difference(
        added=tuple(new[i] for i in new if i not in old),
        changed=tuple(new[i] for i in new if i in old and _content(new[i]) != _content(old[i])),
        removed=tuple(old[i] for i in old if i not in new),
    )


def _content(definition: Definition) -> dict[str, Any]:
    return {name: value for name, value in definition.items() if name != "source"}


def edges(registry: Registry) -> list[dict[str, Any]]:
    """Dependencies of an asset in one location on an asset of another."""
    owners = _owners(registry)
    return [
        {"from": owner, "to": _node(asset)}
        for asset in registry.definitions(kind="asset")
        for dep in asset["deps"]
        for owner in owners.get(tuple(dep), ())
        if owner["location"] != asset["location"]
    ]


def conflicts(registry: Registry) -> list[dict[str, Any]]:
    """Assets that more than one location, or repository, defines."""
    return [
        {"kind": "asset", "key": list(key), "definitions": owners}
        for key, owners in sorted(_owners(registry).items())
        if len(owners) > 1
    ]


def _owners(registry: Registry) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    owners: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for asset in registry.definitions(kind="asset"):
        if not asset.get("external"):
            owners[tuple(asset["key"])].append(_node(asset))
    return owners


def _node(asset: Definition) -> dict[str, Any]:
    return {name: asset[name] for name in ("location", "repository", "key")}
