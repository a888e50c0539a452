"""Dagster's resources: names and types, never values."""

from __future__ import annotations

from .dagster_facts import common, fact
from .dagster_schema import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator


def resources(repository: Any) -> Iterator[Dict[str, Any]]:
    users = fact(repository, "get_env_vars_by_top_level_resource", dict)()
    for name, definition in repository.get_top_level_resources().items():
        yield {
            **common("resource", name, definition),
            "type": type_name(definition),
            "fields": sorted(fields(fact(definition, "config_schema"))),
            "variables": sorted(one for one in users if name in users[one]),
        }


def type_name(definition: Any) -> str:
    """The dotted name of the class, or function, that a user wrote."""
    wrapped = fact(definition, "wrapped_resource", definition)
    made_by = maker(wrapped)
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
