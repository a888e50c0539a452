"""Dagster's schedules and sensors."""

from __future__ import annotations

from ..plain import class_name, kept
from .dagster_facts import common, fact, path, resources_of, source_of
from .dagster_jobs import IMPLICIT
from .dagster_metadata import tags_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional

DEFAULT_INTERVAL_SECONDS = 30
"""Dagster's own (`DEFAULT_SENSOR_DAEMON_INTERVAL`)."""


def schedules(repository: Any) -> Iterator[Dict[str, Any]]:
    for one in repository.schedule_defs:
        cron = one.cron_schedule
        yield {
            **common("schedule", one.name, one),
            "cron": cron if isinstance(cron, str) else list(cron),
            "timezone": one.execution_timezone,
            "job": visible_job(one.job_name),
            "target": target(one),
            "default_status": status(one),
            "variables": sorted(fact(one, "environment_vars") or ()),
            "resources": resources_of(repository, one),
            "source": source_of(fact(one, "_execution_fn")),
        }


def sensors(repository: Any) -> Iterator[Dict[str, Any]]:
    for one in repository.sensor_defs:
        names = [target.job_name for target in fact(one, "targets") or ()]
        yield {
            **common("sensor", one.name, one),
            "minimum_interval": one.minimum_interval_seconds or DEFAULT_INTERVAL_SECONDS,
            "job": visible_job(names[0]) if len(names) == 1 else None,
            "target": target(one),
            "sensor_type": fact(fact(one, "sensor_type"), "name", "STANDARD"),
            "default_status": status(one),
            "watches": watched(one),
            "run_tags": tags_of(fact(one, "run_tags")),
            "resources": resources_of(repository, one),
            "source": source_of(fact(one, "_raw_fn")),
        }


def target(definition: Any) -> Dict[str, Any]:
    """The jobs it starts, and the selection of assets where it starts those."""
    one = fact(definition, "target")
    targets = fact(definition, "targets") or ([one] if one is not None else [])
    names = [fact(each, "job_name") for each in targets] or [fact(definition, "job_name")]
    selections = [selection(each) for each in (definition, *targets)]
    return {
        "jobs": [name for name in names if name and visible_job(name)],
        "assets": next((each for each in selections if each is not None), None),
    }


def watched(sensor: Any) -> List[List[str]]:
    """The asset whose news an asset sensor waits for."""
    key = fact(sensor, "asset_key")
    return [path(key)] if key is not None else []


def selection(definition: Any) -> Optional[str]:
    """As a person writes it; Dagster's private name is the one that a schedule's target has."""
    chosen = fact(definition, "asset_selection") or fact(
        fact(definition, "resolvable_to_job"), "selection"
    )
    return None if chosen is None else written(chosen)


def written(chosen: Any) -> str:
    """Dagster writes a class of the user's own, and what it is part of, with its address."""
    try:
        told = str(kept(str(chosen)))
    except Exception:  # noqa: BLE001  that class's own code
        return class_name(chosen)
    return told if " at 0x" not in told else class_name(chosen)


def status(definition: Any) -> str:
    """RUNNING or STOPPED: what it is until somebody turns it on or off."""
    return str(fact(fact(definition, "default_status"), "value", "STOPPED"))


def visible_job(name: str) -> Optional[str]:
    """None where the job is one that Dagster made up for a selection of assets."""
    return None if name.startswith(IMPLICIT) else name
