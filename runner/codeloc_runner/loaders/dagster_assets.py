"""Dagster's assets."""

from __future__ import annotations

from ..plain import kept
from .dagster_checks import names_of_checks
from .dagster_facts import common, fact, kinds, path, source_of
from .dagster_making import made_by
from .dagster_metadata import metadata_of, tags_of
from .dagster_partitions import partition_mappings, partitions
from .dagster_policies import automation, freshness_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Mapping, Optional

COMPUTE_KIND = ("dagster/compute_kind", "kind")
"""The tag of an op that told an asset's one kind, now and formerly."""
MATERIALIZATION = "MATERIALIZATION"
UNEXECUTABLE = "UNEXECUTABLE"
AUTO_CREATED = "dagster/auto_created_stub_asset"
"""The mark of an asset that Dagster makes up for a dependency nobody here defines."""


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
        "partitions": partitions(
            fact(spec, "partitions_def") or fact(definition, "partitions_def")
        ),
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
