"""Reads what all kinds of Dagster's definitions have, in all its versions: facts, tags, metadata.

Which metadata is kept is Dagster's rule: `normalize_metadata_value` in
`dagster/_core/definitions/metadata`.
"""

from __future__ import annotations

import contextlib
import os
from itertools import islice

from ..load.sources import is_source
from ..wire.json_values import (
    bases,
    bounded,
    class_name,
    copied,
    entries,
    is_json,
    kept,
    unserializable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from ..wire.json_values import CharacterBudget


KIND_TAG = "dagster/kind/"
HIDDEN = ".dagster/"
"""What Dagster never shows (`HIDDEN_TAG_PREFIX`); what begins with `dagster/` is for people."""

FIELDS = {
    "CodeReferencesMetadataValue": ("code_references",),
    "DagsterJobMetadataValue": ("job_name", "location_name", "repository_name"),
    "LocalFileCodeReference": ("file_path", "line_number", "label"),
    "PythonArtifactMetadataValue": ("module", "name"),
    "TableColumn": ("name", "type", "description", "constraints", "tags"),
    "TableColumnConstraints": ("nullable", "unique", "other"),
    "TableColumnDep": ("asset_key", "column_name"),
    "TableColumnLineage": ("deps_by_column",),
    "TableConstraints": ("other",),
    "TableMetadataValue": ("records", "schema"),
    "TableRecord": ("data",),
    "TableSchema": ("columns", "constraints"),
    "UrlCodeReference": ("url", "label"),
}
"""By class: what Dagster's own values are made of; not every version has all of these fields."""

RAW = ("AssetKey", "TableSchema", "TableColumnLineage")
"""Dagster's classes that stand for a value of metadata without one around them."""


def metadata_of(metadata: Any) -> Dict[str, Any]:
    """All of one definition's, by name."""
    return bounded((each for each in entries(metadata) if not each[0].startswith(HIDDEN)), told)


def tags_of(tags: Any) -> Dict[str, str]:
    """Without the kinds, which are told by themselves, as on Dagster's page."""
    shown = (each for each in entries(tags) if not each[0].startswith((HIDDEN, KIND_TAG)))
    return bounded(shown, lambda value, room: str(kept(value, room)))


SHARED: Dict[int, BoundedValue] = {}
"""By a value's id, while a repository is described: integrations give all their assets the same
objects, each of which may be a manifest of many megabytes."""


def told(value: object, room: CharacterBudget) -> Any:
    """One value within `room`."""
    if str in bases(value):
        return kept(value, room)
    known = SHARED.get(id(value))
    if known is None or known.given != room.left:
        known = SHARED[id(value)] = BoundedValue(value, room)
    room.left = known.left
    return known.found


class BoundedValue:
    """What was told of a value with `given` characters, of which some are `left`."""

    __slots__ = ("found", "given", "left", "value")

    def __init__(self, value: object, room: CharacterBudget) -> None:
        self.value = value  # lives as long as its id is known
        self.given = room.left
        self.found = told_once(value, room)
        self.left = room.left


def told_once(value: object, room: CharacterBudget) -> Any:
    if is_json(value):
        return kept(value, room)
    with contextlib.suppress(Exception):  # a part of it is the user's own
        if is_dagsters(value, "MetadataValue") or class_name(value) in RAW:
            return copied(opened(value, room), room)
        if hasattr(type(value), "__fspath__"):
            return kept(path_text(value), room)
    return unserializable(value)


def path_text(value: Any) -> str:
    path = os.fspath(value)
    return path if isinstance(path, str) else unserializable(value)


def is_dagsters(value: object, *names: str) -> bool:
    """Whether Dagster made the class itself; a user's own subclass cannot be serialized there."""
    module = type(value).__module__.partition(".")[0]
    of = {base.__name__ for base in bases(value)}
    return module in ("dagster", "dagster_shared") and not of.isdisjoint(names or of)


def opened(value: Any, room: CharacterBudget) -> Any:
    """What is in Dagster's own objects, of which there are as many as fit."""
    if not is_dagsters(value):
        return inner_parts(value, room)
    name = class_name(value)
    if name == "AssetKey":
        return list(value.path)
    if name == "ObjectMetadataValue":
        return f"[{value.class_name}] (unserializable)"
    if name in FIELDS:
        return {
            field: opened(getattr(value, field), room)
            for field in FIELDS[name]
            if hasattr(value, field)
        }
    inner = value.value
    if inner is value:
        return unserializable(value)
    return opened(inner, room) if is_dagsters(inner) else inner


def inner_parts(value: Any, room: CharacterBudget) -> Any:
    """Of a list or a dict of Dagster's objects: no more than there is room for."""
    types, most = bases(value), max(room.left, 0) + 1
    if list in types or tuple in types:
        return [opened(one, room) for one in value[:most]]
    if dict in types:
        return {name: opened(one, room) for name, one in islice(dict.items(value), most)}
    return value


def common(kind: str, name: str, definition: Any) -> Dict[str, Any]:
    """What every definition tells, as far as this version of Dagster has it."""
    return {
        "kind": kind,
        "name": name,
        "description": kept(fact(definition, "description")),
        "tags": tags_of(fact(definition, "tags")),
        "owners": [kept(one) for one in fact(definition, "owners") or ()],
        "metadata": metadata_of(fact(definition, "metadata")),
        "resources": [],
        "source": None,
    }


def fact(definition: Any, name: str, default: Any = None) -> Any:
    """An attribute that another version may lack, or refuse for this definition."""
    try:
        return getattr(definition, name, default)
    except Exception:  # noqa: BLE001  a property of Dagster's that raises means: it has none
        return default


def kinds(tags: Any) -> List[str]:
    return sorted(name[len(KIND_TAG) :] for name in tags or () if name.startswith(KIND_TAG))


def resources_of(repository: Any, definition: Any) -> List[str]:
    """Those of a definition that the location binds by name; Dagster adds some of its own."""
    bound = repository.get_top_level_resources()
    return sorted(set(bound) & set(fact(definition, "required_resource_keys") or ()))


def path(key: Any) -> List[str]:
    """An AssetKey as the contract's list."""
    return list(key.path)


def source_of(function: Any) -> Optional[Dict[str, Any]]:
    """Where a function that Dagster wraps was written; None if Dagster made it itself."""
    inner = fact(function, "decorated_fn", function)
    code = fact(fact(inner, "__wrapped__", inner), "__code__")
    if type(code) is not type(source_of.__code__) or not is_source(code.co_filename):
        return None
    return {"file": os.path.abspath(code.co_filename), "line": code.co_firstlineno}
