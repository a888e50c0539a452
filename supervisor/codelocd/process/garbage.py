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

PIECE = 200
"""Objects that are dropped in one go: about a millisecond for definitions."""

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


def drop(held: list[Any]) -> None:
    """On a thread, when nothing else refers to these objects any more: drop them in pieces."""
    while held:
        del held[-PIECE:]
