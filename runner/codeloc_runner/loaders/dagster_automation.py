"""Dagster's schedules and sensors."""

from __future__ import annotations

from .dagster_facts import common, fact, resources_of, source_of
from .dagster_jobs import IMPLICIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Optional

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
            "resources": resources_of(repository, one),
            "source": source_of(fact(one, "_raw_fn")),
        }


def visible_job(name: str) -> Optional[str]:
    """None where the job is one that Dagster made up for a selection of assets."""
    return None if name.startswith(IMPLICIT) else name
