"""How an asset is partitioned and what materializes it by itself."""

from __future__ import annotations

from .dagster_facts import fact, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

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
    keys = list(definition.get_partition_keys())
    return {"type": "static", "keys": plain(keys[:STATIC_KEYS]), "count": len(keys)}


def automation(condition: Any) -> Optional[str]:
    """What a condition is called, else its kind, else its type."""
    if condition is None:
        return None
    label = fact(condition, "get_label", lambda: None)()
    return str(label or fact(condition, "name") or type(condition).__name__)
