"""Dagster's jobs."""

from __future__ import annotations

from .dagster_facts import common, fact, path, plain_map, resources_of
from .dagster_partitions import partitions
from .dagster_schema import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Set

IMPLICIT = ("__ASSET_JOB", "__anonymous_asset_job")
"""Names of jobs that Dagster makes up, for all assets and for schedules of assets."""


def jobs(repository: Any) -> Iterator[Dict[str, Any]]:
    for job in repository.get_all_jobs():
        if not job.name.startswith(IMPLICIT):
            yield {
                **common("job", job.name, job),
                **contents(job),
                "resources": resources_of(repository, job),
                "config_schema": config_schema(job),
                "run_tags": plain_map(fact(job, "run_tags")),
                "partitions": partitions(fact(job, "partitions_def")),
            }


def contents(job: Any) -> Dict[str, Any]:
    """The assets that a job makes, or, where it makes none, its ops and how they hang together."""
    made = sorted(path(key) for key in assets_of(job))
    if made:
        return {"assets": made}
    ops = sorted(node.name for node in job.nodes)
    return {"ops": ops, "graph": {name: upstream(job, name) for name in ops}}


def assets_of(job: Any) -> Set[Any]:
    """As Dagster has called them in the course of time."""
    layer = job.asset_layer
    names = ("selected_asset_keys", "executable_asset_keys", "asset_keys")
    return next((set(keys) for name in names if (keys := fact(layer, name))), set())


def upstream(job: Any, name: str) -> List[str]:
    """The ops whose results one takes."""
    inputs = job.dependency_structure.input_to_upstream_outputs_for_node(name)
    return sorted({output.node_name for outputs in inputs.values() for output in outputs})


def config_schema(job: Any) -> Dict[str, Any]:
    """The fields of each op that takes a config."""
    found = {node.name: fields(fact(node.definition, "config_schema")) for node in job.nodes}
    return {name: of for name, of in found.items() if of}
