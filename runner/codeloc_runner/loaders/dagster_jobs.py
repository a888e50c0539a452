"""Dagster's jobs."""

from __future__ import annotations

from ..plain import bases, name_of
from .dagster_facts import common, fact, path, resources_of
from .dagster_metadata import tags_of
from .dagster_partitions import partitions
from .dagster_policies import automation, backfill_policy
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
                "checks": checks_of(job),
                "resources": resources_of(repository, job),
                "config_schema": config_schema(job),
                "run_tags": tags_of(fact(job, "run_tags")),
                "preset": sorted(leaves(fact(job, "run_config"))),
                "partitions": partitions(fact(job, "partitions_def")),
                "backfill_policy": backfill_policy(job),
                "automation": automation(fact(job, "automation_condition")),
                "pools": pools(job),
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


def checks_of(job: Any) -> List[Dict[str, Any]]:
    """The asset checks that a job runs."""
    layer = job.asset_layer
    keys = fact(fact(layer, "asset_graph"), "asset_check_keys")
    keys = keys or fact(layer, "node_output_handles_by_asset_check_key") or ()
    found = [{"key": path(key.asset_key), "name": str(key.name)} for key in keys]
    return sorted(found, key=lambda one: (one["key"], one["name"]))


def upstream(job: Any, name: str) -> List[str]:
    """The ops whose results one takes."""
    inputs = job.dependency_structure.input_to_upstream_outputs_for_node(name)
    return sorted({output.node_name for outputs in inputs.values() for output in outputs})


def config_schema(job: Any) -> Dict[str, Any]:
    """The fields of each op that takes a config."""
    found = {node.name: fields(fact(node.definition, "config_schema")) for node in job.nodes}
    return {name: of for name, of in found.items() if of}


DEEPEST = 20
"""Levels of a run config that are told apart: what has more contains itself."""


def leaves(config: Any, *above: str) -> Iterator[str]:
    """The dotted names of what a job's own run config sets, and none of the values."""
    if dict in bases(config) and config and len(above) < DEEPEST:
        for name, inner in dict.items(config):
            yield from leaves(inner, *above, name_of(name))
    elif above:
        yield ".".join(above)


def pools(job: Any) -> Dict[str, str]:
    """By op, for those that wait for a place in one."""
    found = {node.name: fact(node.definition, "pool") for node in job.nodes}
    return {name: str(pool) for name, pool in found.items() if pool}
