"""Tells how much work a document is, in less time than that takes, and divides it. Pure."""

from __future__ import annotations

from itertools import chain
from typing import Any

VALUE = 16
"""What a value weighs; a text weighs a byte for each character besides."""

HEAVY = 512 * 1024
"""From this weight on the loop must not go through it: that takes some milliseconds and more."""

PIECE = 200
"""Objects that are dropped in one go, where they are light: about a millisecond for definitions."""

_SIZED = frozenset((dict, list, tuple, str, bytes))
_CONTAINERS = frozenset((dict, list, tuple))


def weight(value: Any, most: int = HEAVY) -> int:
    """Of a document, about its bytes; `most` where it weighs as much or more. Not more is looked
    at than weighs that."""
    level, total = [value], 0
    while level and total < most:
        total += sum(len(each) for each in level if type(each) in _SIZED)
        level = [each for each in level if type(each) in _CONTAINERS]
        children = sum(map(len, level))
        total += (VALUE - 1) * children
        if total < most:
            level = list(chain.from_iterable(map(_within, level)))
    return min(total, most)


def is_heavy(value: Any) -> bool:
    return weight(value) >= HEAVY


def _within(container: Any) -> Any:
    return chain(container, container.values()) if type(container) is dict else container


def let_go(held: list[Any]) -> None:
    """On a thread: drop in pieces what is light, or what others still refer to."""
    while held:
        del held[-PIECE:]
