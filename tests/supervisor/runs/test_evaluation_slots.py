"""How many evaluations go on at a time."""

from __future__ import annotations

import asyncio
from collections import Counter

from codelocd.daemon.runs.evaluations import LONGEST, SECONDS, Slots, seconds_for
from codelocd.runs.evaluation import Starter


async def test_one_location_has_half_of_them_and_all_together_no_more() -> None:
    slots, go = Slots(4), asyncio.Event()
    going, most, done = Counter[str](), Counter[str](), list[str]()

    async def evaluate(location: str) -> None:
        async with slots.taken(location):
            going[location] += 1
            most[location] = max(most[location], going[location])
            most["all"] = max(most["all"], going.total())
            await go.wait()
            going[location] -= 1
            done.append(location)

    hanging = [asyncio.create_task(evaluate("hangs")) for _ in range(9)]
    others = [asyncio.create_task(evaluate(name)) for name in ("a", "b", "c")]
    for _ in range(20):
        await asyncio.sleep(0)
    assert dict(going) == {"hangs": 2, "a": 1, "b": 1}
    go.set()
    await asyncio.gather(*hanging, *others)
    assert (most["hangs"], most["all"], len(done)) == (2, 4, 12)


async def test_one_that_is_called_off_while_it_waits_takes_none() -> None:
    slots, go = Slots(2), asyncio.Event()

    async def evaluate() -> None:
        async with slots.taken("a"):
            await go.wait()

    first, waits, last = (asyncio.create_task(evaluate()) for _ in range(3))
    await asyncio.sleep(0)
    waits.cancel()
    go.set()
    await asyncio.gather(first, last)
    assert waits.cancelled()


def test_how_long_one_may_take_is_what_its_definition_states() -> None:
    starter = Starter("x", "r", "s")

    def stated(**others: object) -> float:
        return seconds_for(starter, [{"repository": "r", "kind": "sensor", "name": "s", **others}])

    assert stated(timeout=5) == 5.0
    assert stated(timeout=1e12) == LONGEST
    for unfit in (None, "x", -1, 0, float("nan")):
        assert stated(timeout=unfit) == SECONDS
    assert stated(timeout=5, kind="job") == SECONDS
    assert stated(timeout=5, repository="other") == SECONDS
    assert seconds_for(starter, []) == SECONDS
