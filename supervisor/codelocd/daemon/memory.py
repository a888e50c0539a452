"""Gives memory that nobody uses back to the system whenever the daemon comes to rest."""

from __future__ import annotations

import asyncio
import ctypes
import gc

QUIET = 1.0
"""Seconds without an event after which it rests: nobody waits for it in the next moment."""


class MemoryTrimmer:
    """One for the daemon: `stir` says that something happens."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stirred = 0.0
        self._waiting = False

    def stir(self) -> None:
        self._stirred = self._loop.time()
        if not self._waiting:
            self._waiting = True
            self._wait()

    def _wait(self) -> None:
        self._loop.call_at(self._stirred + QUIET, self._come_to_rest)

    def _come_to_rest(self) -> None:
        if self._loop.time() < self._stirred + QUIET:
            self._wait()
            return
        self._waiting = False
        gc.collect()
        trim()


def trim() -> None:
    """Whole pages that hold nothing, wherever they lie; nothing happens but with glibc.

    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
