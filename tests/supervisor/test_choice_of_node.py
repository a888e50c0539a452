"""Which node a bridge to Ray takes, and what it says where there is none."""

from __future__ import annotations

import pytest

from codeloc_ray.errors import EngineError
from codeloc_ray.placement import NodeView, Wish, choose


def node(name: str, *, state: str = "up", cpus: float = 4.0, runners: int = 0) -> NodeView:
    total = {"CPU": cpus}
    return NodeView(name, name, name, {}, total, total, runners, state)


def test_the_node_with_the_fewest_runners_is_taken():
    found = choose([node("one", runners=2), node("two", runners=1)], Wish())
    assert (found.node.name, found.why) == ("two", "fewest runners (1) of 2")


def test_what_keeps_the_nodes_from_it_is_said():
    nodes = [
        node("head", cpus=0),
        node("silent", state="lost"),
        node("draining", state="draining"),
        node("avoided"),
    ]
    with pytest.raises(EngineError) as refused:
        choose(nodes, Wish(), avoided={"avoided"})
    assert "(4 nodes in all, 2 not heard from, 1 draining)" in str(refused.value)
