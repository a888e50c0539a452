"""Names, types and need of the fields of a config schema; never what a config holds."""

from __future__ import annotations

from .dagster_facts import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict


def fields(schema: Any) -> Dict[str, Dict[str, Any]]:
    """By name; {} where there is no schema, or one without fields."""
    named = fact(fact(schema, "config_type"), "fields") or {}
    return {
        str(name): {"type": type_name(field.config_type), "required": bool(field.is_required)}
        for name, field in named.items()
    }


SOURCES = ("SourceType", "Source")
"""How Dagster names a type whose value may also be a variable's."""


def type_name(config_type: Any) -> str:
    """`String` for a string, also for one that a variable may give or that may be left out."""
    kind = fact(fact(config_type, "kind"), "name", "Any")
    if kind == "NONEABLE":
        return type_name(config_type.inner_type)
    name = str(fact(config_type, "given_name") or fact(config_type, "key"))
    source = next((end for end in SOURCES if name.endswith(end)), None)
    if source:
        return name[: -len(source)]
    return str(fact(config_type, "given_name") or kind.title().replace("_", ""))
