"""What Dagster's kinds of definitions have in common, over its versions."""

from __future__ import annotations

import os

from ..plain import kept
from ..sources import is_source
from .dagster_metadata import KIND_TAG, metadata_of, tags_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional


def common(kind: str, name: str, definition: Any) -> Dict[str, Any]:
    """What every definition tells, as far as this version of Dagster has it."""
    return {
        "kind": kind,
        "name": name,
        "description": kept(fact(definition, "description")),
        "tags": tags_of(fact(definition, "tags")),
        "owners": [kept(one) for one in fact(definition, "owners") or ()],
        "metadata": metadata_of(fact(definition, "metadata")),
        "resources": [],
        "source": None,
    }


def fact(definition: Any, name: str, default: Any = None) -> Any:
    """An attribute that another version may lack, or refuse for this definition."""
    try:
        return getattr(definition, name, default)
    except Exception:  # noqa: BLE001  a property of Dagster's that raises means: it has none
        return default


def kinds(tags: Any) -> List[str]:
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
    if type(code) is not type(source_of.__code__) or not is_source(code.co_filename):
        return None
    return {"file": os.path.abspath(code.co_filename), "line": code.co_firstlineno}
