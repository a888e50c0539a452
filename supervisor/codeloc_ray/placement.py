"""Chooses the node of a runner. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeloc_ray.errors import EngineError


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node at this moment. `total` and `free`: amounts by Ray's names of resources."""

    id: str
    name: str
    address: str
    labels: Mapping[str, str]
    total: Mapping[str, float]
    free: Mapping[str, float]
    runners: int = 0
    state: str = "up"
    port: int = 0
    """Where Ray's own process on it listens; 0 where that is not known."""

    def lacks(self, needed: Mapping[str, float]) -> dict[str, float]:
        """What it has too little of now, by the amount that is asked for."""
        return {
            name: amount for name, amount in needed.items() if self.free.get(name, 0.0) < amount
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """What a location asks for. `beside`: the node of the runner that serves it now."""

    needed: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    beside: str | None = None

    @classmethod
    def of(cls, placement: Mapping[str, Any] | None, beside: str | None) -> Wish:
        """From the daemon's words to Ray's."""
        asked = dict((placement or {}).get("resources") or {})
        named = {"CPU": asked.get("cpu"), "GPU": asked.get("gpu"), "memory": asked.get("memory")}
        needed = {**named, **(asked.get("custom") or {})}
        labels = (placement or {}).get("labels") or {}
        return cls({name: float(each) for name, each in needed.items() if each}, labels, beside)


@dataclass(frozen=True, slots=True)
class NodeChoice:
    """A node, why that one, and what is reserved there."""

    node: NodeView
    why: str
    reserved: Mapping[str, float]


WORDS = {"CPU": "cpu", "GPU": "gpu"}
GIBIBYTE = 1024**3


def choose(nodes: Sequence[NodeView], wish: Wish, avoided: Collection[str] = ()) -> NodeChoice:
    """Raises EngineError: `busy` for a cluster that is full, or has no such node."""
    eligible = [
        each
        for each in nodes
        if each.state == "up"
        and each.id not in avoided
        and (each.total.get("CPU") or wish.labels)
        and all(each.labels.get(name) == value for name, value in wish.labels.items())
    ]
    if not eligible:
        raise _none(nodes, wish, avoided)
    fitting = [each for each in eligible if not each.lacks(wish.needed)]
    if fitting:
        node = min(fitting, key=lambda each: (each.runners, -each.free.get("CPU", 0.0), each.name))
        return NodeChoice(node, _why(node, fitting, wish), wish.needed)
    for node in eligible:
        if node.id == wish.beside:
            why = "beside the runner that serves, whose room it takes over"
            return NodeChoice(node, why, {})
    raise _full(eligible, wish)


def _why(node: NodeView, fitting: Sequence[NodeView], wish: Wish) -> str:
    asked = ", ".join([*_amounts(wish.needed), *(f"{k}={v}" for k, v in wish.labels.items())])
    room = f" of {len(fitting)} with {asked}" if asked else f" of {len(fitting)}"
    return f"fewest runners ({node.runners}){room}"


def _amounts(needed: Mapping[str, float]) -> list[str]:
    return [_amount(name, amount) for name, amount in sorted(needed.items())]


def _amount(name: str, amount: float) -> str:
    return f"{WORDS.get(name, name)} {_figure(name, amount)}"


def _figure(name: str, amount: float) -> str:
    """Memory in units that people read."""
    if name != "memory":
        return f"{amount:g}"
    size = amount / GIBIBYTE
    return f"{size:.4g} GiB" if size >= 1 else f"{size * 1024:.4g} MiB"


def _none(nodes: Sequence[NodeView], wish: Wish, avoided: Collection[str]) -> EngineError:
    labels = ", ".join(f"{name}={value}" for name, value in wish.labels.items())
    those = f" with {labels}" if labels else ""
    why = f"the cluster has no node{those} that takes runners ({_counted(nodes, avoided)})"
    return EngineError("busy", f"{why}; add one, or drain none", "full", missing={"node": 1})


def _counted(nodes: Sequence[NodeView], avoided: Collection[str]) -> str:
    """How many there are, and how many of them something keeps from it that may pass."""
    lost = sum(each.state == "lost" or each.id in avoided for each in nodes)
    draining = sum(each.state == "draining" and each.id not in avoided for each in nodes)
    parts = [f"{len(nodes)} nodes in all"]
    parts += [f"{lost} not heard from"] * bool(lost)
    parts += [f"{draining} draining"] * bool(draining)
    return ", ".join(parts)


def _full(eligible: Sequence[NodeView], wish: Wish) -> EngineError:
    best = min(eligible, key=lambda each: len(each.lacks(wish.needed)))
    lacking = best.lacks(wish.needed)
    told = ", ".join(
        f"{_amount(name, amount)} (free on {best.name}: {_figure(name, best.free.get(name, 0.0))})"
        for name, amount in sorted(lacking.items())
    )
    never = [
        name
        for name in lacking
        if all(each.total.get(name, 0.0) < lacking[name] for each in eligible)
    ]
    remedy = "no node is so large: ask for less" if never else "it waits until a node has room"
    missing = {WORDS.get(name, name): amount for name, amount in lacking.items()}
    return EngineError("busy", f"no node has {told}; {remedy}", "full", missing=missing)
