"""Work that ends well although nobody waits for its result any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def undisturbed(work: Awaitable[T], dispose: Callable[[T], object]) -> T:
    """The result of `work`. When the caller is cancelled, work goes on and its result, which
    nobody else could free then, is disposed of."""
    task = asyncio.ensure_future(work)

    def unwanted(done: asyncio.Future[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            dispose(done.result())

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(unwanted)
        raise
