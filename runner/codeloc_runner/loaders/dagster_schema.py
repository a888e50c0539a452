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


def type_name(config_type: Any) -> str:
    """`String` for a string, also for one that a variable may give (Dagster's StringSource)."""
    name = fact(config_type, "given_name") or fact(config_type, "key") or type(config_type).__name__
    return str(name).replace("Source", "") if str(name).endswith("Source") else kind(config_type)


def kind(config_type: Any) -> str:
    given = fact(config_type, "given_name")
    return str(given or fact(fact(config_type, "kind"), "name", "Any").title().replace("_", ""))
