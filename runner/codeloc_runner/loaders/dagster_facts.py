"""What Dagster's kinds of definitions have in common, over its versions."""

from __future__ import annotations

import math
import os

from ..sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional

KIND_TAG = "dagster/kind/"
HIDDEN_TAG = "dagster/"


def common(kind: str, name: str, definition: Any) -> Dict[str, Any]:
    """What every definition tells, as far as this version of Dagster has it."""
    return {
        "kind": kind,
        "name": name,
        "description": fact(definition, "description"),
        "tags": visible(fact(definition, "tags")),
        "owners": list(fact(definition, "owners") or ()),
        "metadata": plain_map(fact(definition, "metadata")),
        "resources": [],
        "source": None,
    }


def fact(definition: Any, name: str, default: Any = None) -> Any:
    """An attribute that another version may lack, or refuse for this definition."""
    try:
        return getattr(definition, name, default)
    except Exception:  # noqa: BLE001  a property of Dagster's that raises means: it has none
        return default


def visible(tags: Optional[Mapping[str, Any]]) -> Dict[str, str]:
    """The user's own tags: Dagster keeps kinds and more of its own among them."""
    return {
        str(name): str(value)
        for name, value in (tags or {}).items()
        if not str(name).startswith(HIDDEN_TAG)
    }


def kinds(tags: Optional[Mapping[str, Any]]) -> List[str]:
    return sorted(name[len(KIND_TAG) :] for name in tags or () if name.startswith(KIND_TAG))


def resources_of(repository: Any, definition: Any) -> List[str]:
    """Those of a definition that the location binds by name; Dagster adds some of its own."""
    bound = repository.get_top_level_resources()
    return sorted(set(bound) & set(fact(definition, "required_resource_keys") or ()))


def path(key: Any) -> List[str]:
    """An AssetKey as the contract's list."""
    return list(key.path)


def source_of(function: Any) -> Optional[Dict[str, Any]]:
    """Where a function that Dagster wraps was written; None if Dagster made it itself."""
    inner = fact(function, "decorated_fn", function)
    code = fact(fact(inner, "__wrapped__", inner), "__code__")
    if code is None or not is_source(code.co_filename):
        return None
    return {"file": os.path.abspath(code.co_filename), "line": code.co_firstlineno}


def plain_map(metadata: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """Metadata values as JSON can carry them; Dagster's own entries are left out."""
    return {
        str(name): plain(fact(value, "value", value))
        for name, value in (metadata or {}).items()
        if not str(name).startswith(HIDDEN_TAG)
    }


def plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    return str(value)
