"""Who is blamed when a ping is not answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codelocd import lifecycle
from codelocd.heartbeat import Heartbeat
from codelocd.lifecycle import Condemned, Started
from codelocd.locations import Location, Running
from codelocd.model import LocationSpec, Policy, RunnerId, Target
from codelocd.rpc import RpcError
from codelocd.timing import Timing
from codelocd.usage import Sampler


class Handle:
    """A runner whose answers are given beforehand: None, an error, or seconds that pass unseen."""

    pid = 1

    def __init__(self, *answers: RpcError | float | None) -> None:
        self.answers = list(answers)
        self.asked = asyncio.Event()
        self.now = 0.0

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> None:
        assert method == "ping"
        answer = self.answers.pop(0)
        if not self.answers:
            self.asked.set()
        if isinstance(answer, float):
            self.now += answer
            raise RpcError("timeout", "late")
        if answer is not None:
            raise answer


def location(handle: Handle) -> Location:
    policy = Policy(ping_interval=0.01, ping_timeout=0.5)  # less than the lag: always due
    spec = LocationSpec("x", Target("module", "x"), Path("/"), "", policy=policy)
    found = Location(spec)
    found.state = lifecycle.State(serving=RunnerId(1))
    found.runners[RunnerId(1)] = Running(handle, None, None, 0.0, Timing())  # type: ignore[arg-type]  # unused
    return found


async def told(handle: Handle) -> list[lifecycle.Event]:
    """What the heartbeat reports until all answers were given and one sweep more was made."""
    events: list[lifecycle.Event] = [Started()]
    handle.answers += [None]
    where = [location(handle)]
    heart = Heartbeat(
        lambda: where, lambda _, event: events.append(event), Sampler(), lambda: handle.now
    )
    beating = asyncio.ensure_future(heart.run())
    await asyncio.wait_for(handle.asked.wait(), 30)
    beating.cancel()
    return events[1:]


async def test_an_answer_in_time_is_no_event() -> None:
    assert await told(Handle(None, None)) == []


async def test_silence_condemns_the_runner() -> None:
    (event,) = await told(Handle(RpcError("timeout", "no answer")))
    assert isinstance(event, Condemned)
    assert event.problem.kind == "unresponsive"


async def test_a_daemon_that_was_itself_held_up_asks_again_before_it_blames() -> None:
    assert await told(Handle(3600.0, None)) == []


async def test_a_connection_that_ended_is_left_to_those_who_wait_for_the_process() -> None:
    assert await told(Handle(RpcError("down", "gone"))) == []


async def test_a_runner_that_leaves_during_a_sweep_does_not_end_the_sweeps() -> None:
    handle = Handle(None, None)
    where, loop = location(handle), asyncio.get_running_loop()

    def locations() -> list[Location]:
        where.state = lifecycle.State(serving=RunnerId(1))
        loop.call_soon(setattr, where, "state", lifecycle.State())
        return [where]

    heart = Heartbeat(locations, lambda *_: None, Sampler(), lambda: handle.now)
    beating = asyncio.ensure_future(heart.run())
    await asyncio.wait(
        {asyncio.ensure_future(handle.asked.wait()), beating},
        timeout=30,
        return_when=asyncio.FIRST_COMPLETED,
    )
    assert handle.asked.is_set()
    beating.cancel()
