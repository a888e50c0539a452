"""Dagster's jobs."""

from __future__ import annotations

from .dagster_facts import common, fact, path, resources_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List

IMPLICIT = ("__ASSET_JOB", "__anonymous_asset_job")
"""Names of jobs that Dagster makes up, for all assets and for schedules of assets."""


def jobs(repository: Any) -> Iterator[Dict[str, Any]]:
    for job in repository.get_all_jobs():
        if not job.name.startswith(IMPLICIT):
            used = {"resources": resources_of(repository, job)}
            yield {**common("job", job.name, job), **used, **contents(job)}


def contents(job: Any) -> Dict[str, List[Any]]:
    """The assets that a job makes, or, where it makes none, its ops."""
    layer = job.asset_layer
    keys = fact(layer, "selected_asset_keys") or fact(layer, "asset_keys") or ()
    made = sorted(path(key) for key in keys)
    return {"assets": made} if made else {"ops": sorted(node.name for node in job.nodes)}
