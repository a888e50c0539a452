"""Reads the partitions, automation conditions and freshness policies of Dagster's assets."""

from __future__ import annotations

import contextlib

from ..wire.json_values import bases, class_name, copied, kept, name_of, shortened
from .dagster_facts import fact, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Tuple

    Known = Dict[int, Tuple[object, str]]


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
    return [{"asset": path(dep), **described_mapping(one)} for dep, one in found if one is not None]


def described_mapping(mapping: Any) -> Dict[str, Any]:
    """Its type and, for Dagster's own ones (all named tuples), what it was made with."""
    name = {"type": class_name(mapping)}
    try:
        made_with = fact(mapping, "_asdict", dict)()
        return {**name, **{field: copied(mapping_value(one)) for field, one in made_with.items()}}
    except Exception:  # noqa: BLE001  a class of the user's own
        return name


def mapping_value(value: Any) -> Any:
    """A mapping may hold others, by dimension."""
    types = bases(value)
    if hasattr(value, "_asdict"):
        return described_mapping(value)
    if dict in types:
        return {name_of(key): mapping_value(one) for key, one in dict.items(value)}
    if set in types or frozenset in types:
        return sorted((kept(one) for one in value), key=str)
    return value


CONDITION_CHARACTERS = 4096


def automation(condition: Any) -> Optional[str]:
    """What a condition is called, else its kind and what it is put together from."""
    return None if condition is None else called(condition, {})


def called(condition: Any, known: Known) -> str:
    """`known`: the parts by id. One that occurs in several others is put together once."""
    if id(condition) not in known:
        known[id(condition)] = (condition, class_name(condition))  # while it is asked
        with contextlib.suppress(Exception):  # a class of the user's own
            told = shortened(put_together(condition, known), CONDITION_CHARACTERS)
            known[id(condition)] = (condition, told)
    return known[id(condition)][1]


def put_together(condition: Any, known: Known) -> str:
    label = fact(condition, "get_label", lambda: None)()
    if label:
        return str(kept(label))
    name = fact(condition, "name")
    name = str(kept(name)) if name else class_name(condition)
    parts = [called(one, known) for one in fact(condition, "children") or ()]
    return f"{name}({', '.join(parts)})" if parts else name


def backfill_policy(definition: Any) -> Optional[Dict[str, Any]]:
    """`single_run`, or `multi_run` with the number of partitions that one run takes."""
    policy = fact(definition, "backfill_policy")
    if policy is None:
        return None
    at_most = kept(policy.max_partitions_per_run)
    return {
        "type": "single_run" if at_most is None else "multi_run",
        "max_partitions_per_run": at_most,
    }


def freshness_policy(policy: Any) -> Optional[Dict[str, Any]]:
    """By type: `time_window`, `cron`, or the `maximum_lag` of former versions; times in seconds."""
    if fact(policy, "fail_window") is not None:
        return {
            "type": "time_window",
            "fail_window": seconds(policy.fail_window),
            "warn_window": seconds(policy.warn_window),
        }
    if fact(policy, "deadline_cron") is not None:
        return {
            "type": "cron",
            "deadline_cron": policy.deadline_cron,
            "lower_bound": seconds(policy.lower_bound_delta),
            "timezone": policy.timezone,
        }
    return maximum_lag(policy)


def maximum_lag(policy: Any) -> Optional[Dict[str, Any]]:
    minutes = fact(policy, "maximum_lag_minutes")
    if minutes is None:
        return None
    return {
        "type": "maximum_lag",
        "maximum_lag": float(minutes) * 60,
        "cron": policy.cron_schedule,
        "timezone": policy.cron_schedule_timezone,
    }


def seconds(delta: Any) -> Optional[float]:
    """Of a timedelta, or of the form in which Dagster serializes one."""
    if delta is None:
        return None
    duration = fact(delta, "to_timedelta", lambda: delta)()
    return float(duration.total_seconds())
