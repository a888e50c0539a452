"""How assets are made: by which op or graph, together with which others, within which limits."""

from __future__ import annotations

from ..plain import kept
from .dagster_facts import fact, path, resources_of
from .dagster_metadata import tags_of
from .dagster_policies import backfill_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional


def made_by(repository: Any, definitions: Iterable[Any]) -> Dict[int, Dict[str, Any]]:
    """What all assets of a definition have in common, by its id: one may make thousands."""
    distinct = {id(one): one for one in definitions}
    return {number: making(repository, one) for number, one in distinct.items()}


def making(repository: Any, definition: Any) -> Dict[str, Any]:
    node = fact(definition, "node_def")
    ops = list(fact(node, "iterate_op_defs", tuple)())
    is_graph = fact(node, "node_defs") is not None
    return {
        "op": None if is_graph else fact(node, "name"),
        "graph": fact(node, "name") if is_graph else None,
        "ops": sorted({op.name for op in ops}) if is_graph else [],
        "op_tags": tags_of(fact(node, "tags")),
        "retry_policy": retry_policy(fact(node, "retry_policy")),
        "pools": sorted({op.pool for op in ops if fact(op, "pool")}),
        "execution_set": execution_set(definition),
        "backfill_policy": backfill_policy(definition),
        "resources": resources_of(repository, definition),
    }


def retry_policy(policy: Any) -> Optional[Dict[str, Any]]:
    """How often, and after how many seconds, a failed op is tried again."""
    if policy is None:
        return None
    named = {name: fact(fact(policy, name), "name") for name in ("backoff", "jitter")}
    return {"max_retries": kept(policy.max_retries), "delay": kept(policy.delay), **named}


def execution_set(definition: Any) -> Optional[Dict[str, Any]]:
    """None where an asset is made alone. A set is called by the first of its assets' names.

    Dagster's own identifier hashes all of them: it would change for each when one is added.
    """
    names: List[str] = sorted("/".join(path(key)) for key in fact(definition, "keys") or ())
    if len(names) < 2:
        return None
    return {"name": names[0], "can_subset": bool(fact(definition, "can_subset"))}
