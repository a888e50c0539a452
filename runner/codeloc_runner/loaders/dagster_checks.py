"""Dagster's asset checks."""

from __future__ import annotations

from .dagster_facts import common, fact, path, resources_of, source_of
from .dagster_partitions import partitions
from .dagster_policies import automation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List


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
