"""How an asset is partitioned, and what its partitions have to do with those it depends on."""

from __future__ import annotations

from ..plain import bases, class_name, copied, kept, name_of
from .dagster_facts import fact, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional

STATIC_KEYS = 100
"""Names of static partitions that a snapshot tells; there may be many thousands."""


def partitions(definition: Any) -> Optional[Dict[str, Any]]:
    """By type: `static`, `time_window`, `multi` or `dynamic`; None where there are none."""
    if definition is None:
        return None
    dimensions = fact(definition, "partitions_defs")
    if dimensions is not None:
        of = {one.name: partitions(one.partitions_def) for one in dimensions}
        return {"type": "multi", "dimensions": of}
    if fact(definition, "fmt") is not None:
        return time_window(definition)
    if type(definition).__name__.startswith("Dynamic"):
        return {"type": "dynamic", "name": fact(definition, "name")}
    return static(definition)


def time_window(definition: Any) -> Dict[str, Any]:
    ends = fact(definition, "end")
    return {
        "type": "time_window",
        "cron": fact(definition, "cron_schedule"),
        "start": definition.start.isoformat(),
        "end": ends.isoformat() if ends is not None else None,
        "timezone": fact(definition, "timezone"),
        "format": definition.fmt,
    }


def static(definition: Any) -> Dict[str, Any]:
    try:
        keys = list(definition.get_partition_keys())
    except Exception:  # noqa: BLE001  a class of the user's own that asks a server, say
        return {"type": "static", "keys": [], "count": None}
    return {"type": "static", "keys": copied(keys[:STATIC_KEYS]), "count": len(keys)}


def partition_mappings(deps: List[Any], spec: Any, definition: Any) -> List[Dict[str, Any]]:
    """Of the dependencies that have one of their own; the others follow Dagster's defaults."""
    own: Mapping[Any, Any] = fact(spec, "partition_mappings") or {}
    of_all = fact(definition, "get_partition_mapping", own.get)
    found = [(dep, own.get(dep, of_all(dep))) for dep in deps]
    return [{"asset": path(dep), **described(one)} for dep, one in found if one is not None]


def described(mapping: Any) -> Dict[str, Any]:
    """Its type and, for Dagster's own ones (all named tuples), what it was made with."""
    name = {"type": class_name(mapping)}
    try:
        made_with = fact(mapping, "_asdict", dict)()
        return {**name, **{field: copied(told(one)) for field, one in made_with.items()}}
    except Exception:  # noqa: BLE001  a class of the user's own
        return name


def told(value: Any) -> Any:
    """A mapping may hold others, by dimension."""
    types = bases(value)
    if hasattr(value, "_asdict"):
        return described(value)
    if dict in types:
        return {name_of(key): told(one) for key, one in dict.items(value)}
    if set in types or frozenset in types:
        return sorted((kept(one) for one in value), key=str)
    return value
