"""Dagster's assets and asset checks."""

from __future__ import annotations

from .dagster_facts import common, fact, kinds, path, plain_map, resources_of, source_of, visible
from .dagster_partitions import automation, partitions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Mapping

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
    checked = names_of_checks(repository)
    for key, definition in sorted({**made, **declared}.items(), key=lambda item: path(item[0])):
        if not is_made_up(key, definition):
            execution = execution_type(definition)
            yield {
                **asset(key, definition),
                "resources": resources_of(repository, definition),
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
    return {
        **common("asset", "/".join(path(key)), definition),
        "key": path(key),
        "description": of_key(definition, "descriptions", key) or fact(definition, "description"),
        "group": of_key(definition, "group_names", key) or fact(definition, "group_name"),
        "deps": sorted(path(one) for one in of_key(definition, "asset_deps", key) or ()),
        "tags": visible(tags),
        "kinds": kinds(tags) or compute_kind(definition),
        "owners": [owner(one) for one in of_key(definition, "owners", key) or ()],
        "metadata": plain_map(metadata(key, definition)),
        "code_version": of_key(definition, "code_versions", key)
        or fact(definition, "code_version"),
        "partitions": partitions(partitions_of(definition, key)),
        "automation": automation(automation_of(definition, key)),
        "source": source_of(fact(fact(definition, "op"), "compute_fn")),
    }


def of_key(definition: Any, name: str, key: Any) -> Any:
    """One asset's share of what an AssetsDefinition keeps for all of its assets."""
    facts: Mapping[Any, Any] = fact(definition, name + "_by_key") or fact(definition, name) or {}
    return facts.get(key) if hasattr(facts, "get") else None


def partitions_of(definition: Any, key: Any) -> Any:
    """One asset's own where the assets of one function differ."""
    spec = of_key(definition, "specs", key)
    return fact(spec, "partitions_def") or fact(definition, "partitions_def")


def automation_of(definition: Any, key: Any) -> Any:
    """A condition, or what came before them."""
    return of_key(definition, "automation_conditions", key) or of_key(
        definition, "auto_materialize_policies", key
    )


def metadata(key: Any, definition: Any) -> Mapping[str, Any]:
    return of_key(definition, "metadata", key) or fact(definition, "raw_metadata") or {}


def owner(one: Any) -> str:
    """A string, or one of the objects that stand for it in Dagster 1.6 and 1.7."""
    team = fact(one, "team")
    return f"team:{team}" if team else str(fact(one, "email", one))


def compute_kind(definition: Any) -> list[str]:
    """What kinds were before Dagster had them."""
    tags = fact(fact(definition, "op"), "tags") or {}
    return [str(tags[name]) for name in COMPUTE_KIND if name in tags]


def asset_checks(repository: Any) -> Iterator[Dict[str, Any]]:
    for key, definition in checks_of(repository).items():
        spec = spec_of(definition, key)
        yield {
            **common("asset_check", key.name, spec),
            "key": path(key.asset_key),
            "blocking": bool(fact(spec, "blocking")),
            "automation": automation(fact(spec, "automation_condition")),
            "additional_deps": sorted(
                path(one.asset_key) for one in fact(spec, "additional_deps") or ()
            ),
            "resources": resources_of(repository, definition),
            "source": source_of(fact(fact(definition, "node_def"), "compute_fn")),
        }


def spec_of(definition: Any, key: Any) -> Any:
    of_key = fact(definition, "get_spec_for_check_key")
    return of_key(key) if of_key else next(one for one in definition.specs if one.key == key)


def also_needed(spec: Any) -> List[Any]:
    """The assets beside its own that a check reads."""
    return list(fact(spec, "additional_deps") or ())


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
