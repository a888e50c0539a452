"""Work whose caller no longer waits for its result."""

from __future__ import annotations

import asyncio

import pytest

from codelocd.process.child import shielded


def unexpected(result: int) -> None:
    pytest.fail(f"{result} came too late")


async def test_the_result_is_that_of_the_work() -> None:
    async def work() -> int:
        return 7

    assert await shielded(work(), unexpected) == 7


async def test_an_error_is_that_of_the_work() -> None:
    async def work() -> int:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await shielded(work(), unexpected)


async def test_what_comes_after_the_caller_was_cancelled_is_disposed_of() -> None:
    ends = asyncio.Event()
    disposed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        await ends.wait()
        return 7

    caller = asyncio.ensure_future(shielded(work(), disposed.set_result))
    await asyncio.wait([caller], timeout=0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    ends.set()
    assert await asyncio.wait_for(disposed, 10) == 7
