"""Reads Dagster's resources: names, types and the fields of their configuration, never values."""

from __future__ import annotations

from .dagster_facts import common, fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Optional


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
