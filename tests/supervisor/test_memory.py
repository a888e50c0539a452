"""Unused memory goes back to the system when the daemon is idle."""

import asyncio
import ctypes
import gc
import weakref

import psutil
import pytest

from codelocd.daemon.usage import MemoryTrimmer, trim

DEADLINE = 60.0
BLOCKS, BLOCK = 64 * 1024, 1024


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


async def test_garbage_is_found_at_rest() -> None:
    gc.disable()
    try:
        found = asyncio.Event()
        ring = Ring()
        weakref.finalize(ring, found.set)
        del ring
        MemoryTrimmer().stir()
        await asyncio.wait_for(found.wait(), DEADLINE)
    finally:
        gc.enable()


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library has no malloc_trim"
)
def test_memory_below_what_is_still_used_goes_back_to_the_system() -> None:
    process = psutil.Process()
    blocks = [bytes(BLOCK) for _ in range(BLOCKS)]
    del blocks[:-1]
    before = process.memory_info().rss
    trim()
    assert before - process.memory_info().rss > BLOCKS * BLOCK // 2
    assert blocks == [bytes(BLOCK)]
