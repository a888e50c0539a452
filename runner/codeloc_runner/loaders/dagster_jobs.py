"""Reads Dagster's jobs, schedules, sensors and resources.

Of resources it reads names, types and the fields of their configuration, never values.
"""

from __future__ import annotations

from ..wire.json_values import bases, class_name, kept, name_of
from .dagster_facts import common, fact, path, resources_of, source_of, tags_of
from .dagster_policies import automation, backfill_policy, partitions

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Set


# --- resources ---------------------------------------------------------------------------------


def fields(schema: Any) -> Dict[str, Dict[str, Any]]:
    """By name; {} where there is no schema, or one without fields."""
    named = fact(fact(schema, "config_type"), "fields") or {}
    return {
        str(name): {
            "type": config_type_name(field.config_type),
            "required": bool(field.is_required),
        }
        for name, field in named.items()
    }


SOURCES = ("SourceType", "Source")
"""How Dagster names a type whose value may also be a variable's."""


def config_type_name(config_type: Any) -> str:
    """`String` for a string, also for one that a variable may give or that may be left out."""
    kind = fact(fact(config_type, "kind"), "name", "Any")
    if kind == "NONEABLE":
        return config_type_name(config_type.inner_type)
    name = str(fact(config_type, "given_name") or fact(config_type, "key"))
    source = next((end for end in SOURCES if name.endswith(end)), None)
    if source:
        return name[: -len(source)]
    return str(fact(config_type, "given_name") or kind.title().replace("_", ""))


def resources(repository: Any) -> Iterator[Dict[str, Any]]:
    users = fact(repository, "get_env_vars_by_top_level_resource", dict)()
    for name, definition in repository.get_top_level_resources().items():
        schema = fields(unconfigured(fact(definition, "config_schema")))
        yield {
            **common("resource", name, definition),
            "type": type_name(definition),
            "fields": sorted(schema),
            "config_schema": schema,
            "nested": nested(repository, definition),
            "variables": sorted(one for one in users if name in users[one]),
        }


def unconfigured(schema: Any) -> Any:
    """The schema that a resource had before its fields were given values and went out of sight."""
    parent = fact(fact(schema, "parent_def"), "config_schema")
    return unconfigured(parent) if parent is not None else schema


def nested(repository: Any, definition: Any) -> Dict[str, Dict[str, Any]]:
    """By field: the type of the resource in it, and its name where the location binds it too."""
    bound = repository.get_top_level_resources()
    within = fact(unwrapped(definition), "nested_resources")
    if within is None:
        needed = sorted(set(bound) & set(fact(definition, "required_resource_keys") or ()))
        return {name: {"resource": name, "type": type_name(bound[name])} for name in needed}
    return {
        str(field): {"resource": bound_as(repository, one), "type": type_name(one)}
        for field, one in within.items()
    }


def bound_as(repository: Any, resource: Any) -> Optional[str]:
    """The name of a resource that another holds as an object; found by identity, as in Dagster."""
    by_number = fact(repository, "get_resource_key_mapping", dict)()
    definition = fact(resource, "get_resource_definition", lambda: resource)()
    for name, one in repository.get_top_level_resources().items():
        if one is definition or by_number.get(id(resource)) == name:
            return str(name)
    return None


def unwrapped(definition: Any) -> Any:
    """Without what Dagster 1.5 puts around a resource that may hold others."""
    return fact(definition, "wrapped_resource", definition)


def type_name(definition: Any) -> str:
    """The dotted name of the class, or function, that a user wrote."""
    made_by = maker(unwrapped(definition))
    if not isinstance(fact(made_by, "__qualname__"), str):
        made_by = type(made_by)  # a partial, say, or an object that can be called
    return f"{made_by.__module__}.{made_by.__qualname__}"


def maker(wrapped: Any) -> Any:
    function = fact(wrapped, "resource_fn")
    if fact(function, "__qualname__", "").startswith("ResourceDefinition.hardcoded_resource"):
        return type(function(None))  # Dagster's own function around a raw object
    return (
        fact(wrapped, "configurable_resource_cls")
        or fact(wrapped, "_hardcoded_resource_type")
        or function
        or type(wrapped)
    )


# --- jobs, schedules and sensors ---------------------------------------------------------------

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
    """RUNNING or STOPPED: its state until a user turns it on or off."""
    return str(fact(fact(definition, "default_status"), "value", "STOPPED"))


def visible_job(name: str) -> Optional[str]:
    """None where the job is one that Dagster made up for a selection of assets."""
    return None if name.startswith(IMPLICIT) else name
