"""Dagster's assets and asset checks."""

from __future__ import annotations

from .dagster_facts import common, fact, kinds, path, plain_map, resources_of, source_of, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Mapping

COMPUTE_KIND = ("dagster/compute_kind", "kind")
"""The tag of an op that told an asset's one kind, now and formerly."""
AUTO_CREATED = "dagster/auto_created_stub_asset"
"""The mark of an asset that Dagster makes up for a dependency nobody here defines."""


def assets(repository: Any) -> Iterator[Dict[str, Any]]:
    """Those that this location defines; `external` ones it describes, but does not make."""
    made = dict(repository.assets_defs_by_key)
    declared = {key: one for key, one in repository.source_assets_by_key.items() if key not in made}
    for key, definition in sorted({**made, **declared}.items(), key=lambda item: path(item[0])):
        if not is_made_up(key, definition):
            yield {
                **asset(key, definition),
                "resources": resources_of(repository, definition),
                "external": key in declared or not fact(definition, "is_executable", True),
            }


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
        "source": source_of(fact(fact(definition, "op"), "compute_fn")),
    }


def of_key(definition: Any, name: str, key: Any) -> Any:
    """One asset's share of what an AssetsDefinition keeps for all of its assets."""
    facts: Mapping[Any, Any] = fact(definition, name + "_by_key") or fact(definition, name) or {}
    return facts.get(key) if hasattr(facts, "get") else None


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
        spec = definition.get_spec_for_check_key(key)
        yield {
            **common("asset_check", key.name, spec),
            "key": path(key.asset_key),
            "resources": resources_of(repository, definition),
            "source": source_of(fact(fact(definition, "node_def"), "compute_fn")),
        }


def checks_of(repository: Any) -> Dict[Any, Any]:
    """Checks of their own (Dagster 1.7 and newer tell them), and those that come with an asset."""
    found = dict(fact(repository, "asset_checks_defs_by_key") or {})
    for definition in repository.assets_defs_by_key.values():
        for key in fact(definition, "check_keys") or ():
            found.setdefault(key, definition)
    return found
