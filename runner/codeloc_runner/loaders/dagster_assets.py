"""Reads Dagster's assets and asset checks."""

from __future__ import annotations

from ..wire.json_values import kept
from .dagster_facts import common, fact, kinds, metadata_of, path, resources_of, source_of, tags_of
from .dagster_policies import (
    automation,
    backfill_policy,
    freshness_policy,
    partition_mappings,
    partitions,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional


def made_by(repository: Any, definitions: Iterable[Any]) -> Dict[int, Dict[str, Any]]:
    """What all assets of a definition have in common, by its id: one may make thousands."""
    distinct = {id(one): one for one in definitions}
    return {number: making(repository, one) for number, one in distinct.items()}


def making(repository: Any, definition: Any) -> Dict[str, Any]:
    node = fact(definition, "node_def")
    ops = list(fact(node, "iterate_op_defs", tuple)())
    is_graph = fact(node, "node_defs") is not None
    return {
        "op": None if is_graph else fact(node, "name"),
        "graph": fact(node, "name") if is_graph else None,
        "ops": sorted({op.name for op in ops}) if is_graph else [],
        "op_tags": tags_of(fact(node, "tags")),
        "retry_policy": retry_policy(fact(node, "retry_policy")),
        "pools": sorted({op.pool for op in ops if fact(op, "pool")}),
        "execution_set": execution_set(definition),
        "backfill_policy": backfill_policy(definition),
        "resources": resources_of(repository, definition),
    }


def retry_policy(policy: Any) -> Optional[Dict[str, Any]]:
    """How often, and after how many seconds, a failed op is tried again."""
    if policy is None:
        return None
    named = {name: fact(fact(policy, name), "name") for name in ("backoff", "jitter")}
    return {"max_retries": kept(policy.max_retries), "delay": kept(policy.delay), **named}


def execution_set(definition: Any) -> Optional[Dict[str, Any]]:
    """None where an asset is made alone. A set is called by the first of its assets' names.

    Dagster's own identifier hashes all of them: it would change for each when one is added.
    """
    names: List[str] = sorted("/".join(path(key)) for key in fact(definition, "keys") or ())
    if len(names) < 2:
        return None
    return {"name": names[0], "can_subset": bool(fact(definition, "can_subset"))}


def asset_checks(repository: Any) -> Iterator[Dict[str, Any]]:
    for key, definition in checks_of(repository).items():
        spec = spec_of(definition, key)
        yield {
            **common("asset_check", key.name, spec),
            "key": path(key.asset_key),
            "blocking": bool(fact(spec, "blocking")),
            "automation": automation(fact(spec, "automation_condition")),
            "partitions": partitions(fact(spec, "partitions_def")),
            "additional_deps": sorted(
                path(one.asset_key) for one in fact(spec, "additional_deps") or ()
            ),
            "resources": resources_of(repository, definition),
            "source": source_of(fact(fact(definition, "node_def"), "compute_fn")),
        }


def spec_of(definition: Any, key: Any) -> Any:
    of_key = fact(definition, "get_spec_for_check_key")
    return of_key(key) if of_key else next(one for one in definition.specs if one.key == key)


def checks_of(repository: Any) -> Dict[Any, Any]:
    """Checks of their own, wherever this version keeps them, and those that come with an asset."""
    found = dict(fact(repository, "asset_checks_defs_by_key") or {})
    for definition in repository.assets_defs_by_key.values():
        for key in fact(definition, "check_keys") or ():
            found.setdefault(key, definition)
    return found or {key: one for one in checks_in_jobs(repository) for key in keys_of(one)}


def checks_in_jobs(repository: Any) -> Iterator[Any]:
    """Where Dagster 1.5 and 1.6 have them: nothing but the jobs it makes up tells all of them."""
    for job in repository.get_all_jobs():
        yield from fact(job.asset_layer, "asset_checks_defs") or ()


def keys_of(definition: Any) -> List[Any]:
    return [spec.key for spec in definition.specs]


def names_of_checks(repository: Any) -> Dict[Any, List[str]]:
    """By the asset that they check."""
    found: Dict[Any, List[str]] = {}
    for key in checks_of(repository):
        found.setdefault(key.asset_key, []).append(str(key.name))
    return found


COMPUTE_KIND = ("dagster/compute_kind", "kind")
"""The tag of an op that told an asset's one kind, now and formerly."""
MATERIALIZATION = "MATERIALIZATION"
UNEXECUTABLE = "UNEXECUTABLE"
AUTO_CREATED = "dagster/auto_created_stub_asset"
"""The mark of an asset that Dagster makes up for a dependency that is not defined here."""


def assets(repository: Any) -> Iterator[Dict[str, Any]]:
    """Those that this location defines; `external` ones it describes, but does not make."""
    made = dict(repository.assets_defs_by_key)
    declared = {key: one for key, one in repository.source_assets_by_key.items() if key not in made}
    known = {**made, **declared}
    making, checked = made_by(repository, known.values()), names_of_checks(repository)
    for key, definition in sorted(known.items(), key=lambda item: path(item[0])):
        if not is_made_up(key, definition):
            execution = execution_type(definition)
            yield {
                **asset(key, definition),
                **making[id(definition)],
                "checks": sorted(checked.get(key, ())),
                "execution_type": execution,
                "external": key in declared or execution != MATERIALIZATION,
            }


def execution_type(definition: Any) -> str:
    """MATERIALIZATION, OBSERVATION or UNEXECUTABLE, as Dagster has it."""
    told = fact(definition, "execution_type")
    if told is not None:
        return str(told.name)
    if fact(definition, "is_observable"):
        return "OBSERVATION"
    executable = fact(definition, "is_executable", hasattr(definition, "keys"))
    return MATERIALIZATION if executable else UNEXECUTABLE


def is_made_up(key: Any, definition: Any) -> bool:
    return bool(fact(definition, "is_auto_created_stub")) or AUTO_CREATED in metadata(
        key, definition
    )


def partitioned_by(key: Any, definition: Any) -> Any:
    """The PartitionsDefinition of one asset; None: it has no partitions."""
    spec = of_key(definition, "specs", key)
    return fact(spec, "partitions_def") or fact(definition, "partitions_def")


def asset(key: Any, definition: Any) -> Dict[str, Any]:
    tags = of_key(definition, "tags", key) or fact(definition, "tags")
    spec = of_key(definition, "specs", key)
    deps = sorted(of_key(definition, "asset_deps", key) or (), key=path)
    return {
        **common("asset", "/".join(path(key)), definition),
        "key": path(key),
        "description": kept(
            of_key(definition, "descriptions", key) or fact(definition, "description")
        ),
        "group": of_key(definition, "group_names", key) or fact(definition, "group_name"),
        "deps": [path(one) for one in deps],
        "tags": tags_of(tags),
        "kinds": kinds(tags) or compute_kind(definition),
        "owners": [owner(one) for one in of_key(definition, "owners", key) or ()],
        "metadata": metadata_of(metadata(key, definition)),
        "code_version": kept(
            of_key(definition, "code_versions", key) or fact(definition, "code_version")
        ),
        "io_manager": io_manager(definition, key),
        "partitions": partitions(partitioned_by(key, definition)),
        "partition_mappings": partition_mappings(deps, spec, definition),
        "automation": automation(automation_of(definition, key)),
        "freshness_policy": freshness_policy(freshness_of(definition, key)),
        "observed_every": seconds_of(fact(definition, "auto_observe_interval_minutes")),
        "virtual": bool(fact(spec, "is_virtual")),
        "source": source_of(fact(fact(definition, "op"), "compute_fn")),
    }


def seconds_of(minutes: Optional[float]) -> Optional[float]:
    return None if minutes is None else minutes * 60.0


def of_key(definition: Any, name: str, key: Any) -> Any:
    """One asset's share of what an AssetsDefinition keeps for all of its assets."""
    facts: Mapping[Any, Any] = fact(definition, name + "_by_key") or fact(definition, name) or {}
    return facts.get(key) if hasattr(facts, "get") else None


def automation_of(definition: Any, key: Any) -> Any:
    """A condition, or what came before them."""
    return of_key(definition, "automation_conditions", key) or of_key(
        definition, "auto_materialize_policies", key
    )


def freshness_of(definition: Any, key: Any) -> Any:
    """A policy, or what was called one before them."""
    return (
        fact(of_key(definition, "specs", key), "freshness_policy")
        or of_key(definition, "legacy_freshness_policies", key)
        or of_key(definition, "freshness_policies", key)
    )


def metadata(key: Any, definition: Any) -> Mapping[str, Any]:
    return of_key(definition, "metadata", key) or fact(definition, "raw_metadata") or {}


def owner(one: Any) -> str:
    """A string, or one of the objects that stand for it in Dagster 1.6 and 1.7."""
    team = fact(one, "team")
    return f"team:{kept(team)}" if team else str(kept(fact(one, "email", one)))


def compute_kind(definition: Any) -> list[str]:
    """What kinds were before Dagster had them."""
    tags = fact(fact(definition, "op"), "tags") or {}
    return [str(kept(tags[name])) for name in COMPUTE_KIND if name in tags]


def io_manager(definition: Any, key: Any) -> Optional[str]:
    """The resource that stores it; None where the location makes nothing to be stored."""
    if fact(definition, "node_def") is None:
        return None
    try:
        return str(definition.get_io_manager_key_for_asset_key(key))
    except Exception:  # noqa: BLE001  an asset that is only described has none
        return None
