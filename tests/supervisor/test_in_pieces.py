"""Many changes are carried out in their order, without holding the loop."""

from __future__ import annotations

import asyncio
from functools import partial

from codelocd.daemon.in_pieces import AT_ONCE, LATER, ChangesInPieces


async def test_a_long_change_goes_on_in_later_turns_of_the_loop() -> None:
    done: list[int] = []
    changes = ChangesInPieces()
    changes.begin([partial(done.append, n) for n in range(200)])
    assert len(done) == AT_ONCE
    await asyncio.sleep(0)
    assert len(done) == AT_ONCE + LATER
    for _ in range(200):
        await asyncio.sleep(0)
    assert done == list(range(200))


async def test_what_is_begun_meanwhile_comes_after_what_is_left() -> None:
    done: list[int] = []
    changes = ChangesInPieces()
    changes.begin([partial(done.append, n) for n in range(100)])
    changes.begin([partial(done.append, 100)])
    assert done == list(range(101))
    changes.begin([partial(done.append, n) for n in range(101, 300)])
    changes.finish()
    assert done == list(range(300))
    changes.begin([partial(done.append, n) for n in range(300, 400)])
    changes.drop()
    await asyncio.sleep(0)
    assert len(done) == 300 + AT_ONCE
