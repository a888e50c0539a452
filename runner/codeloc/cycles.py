"""Cycles in a graph."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Iterable, Iterator, Mapping, TypeVar

    T = TypeVar("T")


def cycle(graph: Mapping[T, Iterable[T]]) -> list[T]:
    """The nodes of one cycle, each followed by what it points to; empty if there is none.

    `graph` says what each node points to. Takes no more stack for a longer chain.
    """
    finished: set[T] = set()
    for start in graph:
        path: dict[T, Iterator[T]] = {start: iter(graph[start])} if start not in finished else {}
        while path:
            node, pointed = path.popitem()
            following = next((each for each in pointed if each not in finished), None)
            if following is None:
                finished.add(node)
                continue
            path[node] = pointed
            if following in path:
                nodes = list(path)
                return nodes[nodes.index(following) :]
            path[following] = iter(graph.get(following, ()))
    return []
