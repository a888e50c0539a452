"""Keeps what is large from holding up the loop when it is made and when it is dropped.

A thread that holds the interpreter's lock stops the loop as surely as work on the loop itself: the
search of the garbage collector through a million new objects, and the end of as many, take up to a
second in one piece.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from codelocd.core.weight import PIECE, is_heavy

_lock = threading.Lock()
_makers = 0


@contextmanager
def much_is_made(*, stays: bool) -> Iterator[None]:
    """Around work on any thread that makes many objects: the collector does not run meanwhile.

    `stays`: what was made is kept for long, so the collector never searches it. It still goes when
    nothing refers to it any more; what is left out is only a cycle among all that there is now, so
    those that are garbage are collected first.
    """
    global _makers
    with _lock:
        if stays and not _makers:
            gc.collect()
        _makers += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _makers -= 1
            if stays:
                gc.freeze()
            if not _makers:
                gc.enable()


def collect() -> None:
    """Look for garbage now, but not through what is just being made and then frozen."""
    if not _makers:
        gc.collect()


def drop(held: list[Any]) -> None:
    """On a thread, when nothing else refers to these objects any more: drop them in pieces. What is
    within a heavy one goes on its own, too."""
    while held:
        piece = held[-PIECE:]
        del held[-PIECE:]
        if is_heavy(piece):
            piece = _with_containers_within(piece)
            while piece:
                piece.pop()


def _with_containers_within(objects: list[Any]) -> list[Any]:
    found = level = objects
    while level:
        within = (each.values() if type(each) is dict else each for each in level)
        level = [each for values in within for each in values if type(each) in _CONTAINERS]
        found = found + level
    return found


_CONTAINERS = frozenset((dict, list, tuple))
