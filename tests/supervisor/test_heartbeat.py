"""Who is blamed when a ping is not answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from codelocd.core.events import Condemned, Event, Started
from codelocd.core.state import State
from codelocd.core.timing import Timing
from codelocd.daemon.health import Heartbeat
from codelocd.daemon.location import Location, Running
from codelocd.model import LocationSpec, Policy, RunnerId, Target
from codelocd.rpc.errors import RpcError
from codelocd.runners.stacks import Stacks


class Handle:
    """A runner whose answers are given beforehand: None or an error."""

    pid = 1

    def __init__(self, *answers: RpcError | None) -> None:
        self.answers = list(answers)
        self.asked = asyncio.Event()

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> None:
        assert method == "ping"
        answer = self.answers.pop(0)
        if not self.answers:
            self.asked.set()
        if answer is not None:
            raise answer


def location(handle: Handle, interval: float = 0.01, timeout: float = 0.5) -> Location:
    policy = Policy(ping_interval=interval, ping_timeout=timeout)
    spec = LocationSpec("x", Target("module", "x"), Path("/"), "", policy=policy)
    found = Location(spec, lambda *_: None)
    found.state = State(serving=RunnerId(1))
    found.runners[RunnerId(1)] = Running(handle, None, None, None, 0.0, Timing())  # type: ignore[arg-type]  # unused
    return found


async def unseen(_silent: Running) -> Stacks:
    return Stacks((), "nothing is known of it")


async def told(handle: Handle) -> list[Event]:
    """What the heartbeat reports until all answers were given and one sweep more was made."""
    events: list[Event] = [Started()]
    handle.answers += [None]
    where = [location(handle)]
    heart = Heartbeat(
        lambda: where,
        lambda _, event: events.append(event),
        asyncio.Event(),
        unseen,
    )
    beating = asyncio.ensure_future(heart.run())
    await asyncio.wait_for(handle.asked.wait(), 60)
    beating.cancel()
    return events[1:]


async def test_an_answer_in_time_is_no_event() -> None:
    assert await told(Handle(None, None)) == []


async def test_silence_condemns_the_runner() -> None:
    (event,) = await told(Handle(RpcError("timeout", "no answer")))
    assert isinstance(event, Condemned)
    assert event.problem.kind == "unresponsive"
    assert event.problem.detail == "nothing is known of it"


async def test_a_connection_that_ended_is_left_to_those_who_wait_for_the_process() -> None:
    assert await told(Handle(RpcError("down", "gone"))) == []


class Patient:
    """Runners that answer when they are told to, under a clock that moves when it is told to."""

    def __init__(self, **intervals: float) -> None:
        self.now = 100.0
        self.stirred, self.first = asyncio.Event(), asyncio.Event()
        self.condemned: list[str] = []
        self.asked: list[tuple[str, float | None]] = []
        self.locations = {name: self._location(name, each) for name, each in intervals.items()}
        self.heart = Heartbeat(
            self.locations.values,
            lambda location, _: self.condemned.append(location.name),
            self.stirred,
            unseen,
            lambda: self.now,
        )

    def _location(self, name: str, interval: float) -> Location:
        patient = self

        class Silent(Handle):
            async def call(
                self,
                method: str,
                params: Mapping[str, Any] | None = None,
                timeout: float | None = None,
            ) -> None:
                patient.asked.append((name, timeout))
                patient.first.set()
                await asyncio.Event().wait()

        found = location(Silent(), interval, 10.0)
        found.spec, found.name = replace(found.spec, name=name), name
        return found

    async def after(self, seconds: float) -> list[str]:
        """Who is asked in the sweep so many seconds later."""
        self.now += seconds
        self.asked.clear()
        self.heart.sweep()
        await asyncio.sleep(0)
        return [name for name, _ in self.asked]

    def hold_to(self, name: str, **rules: Any) -> None:
        found = self.locations[name]
        found.spec = replace(found.spec, policy=replace(found.spec.policy, **rules))


async def test_the_first_question_comes_an_interval_after_a_runner_began_to_serve() -> None:
    patient = Patient(x=1.0)
    assert patient.heart.sweep() == 1.0
    assert await patient.after(0.9) == []
    assert await patient.after(0.1) == ["x"]


async def test_a_new_runner_is_asked_after_an_interval_of_its_own() -> None:
    patient = Patient(x=10.0)
    patient.heart.sweep()
    patient.now += 9
    found = patient.locations["x"]
    found.runners[RunnerId(2)] = found.runners.pop(RunnerId(1))
    found.state = State(serving=RunnerId(2))
    assert patient.heart.sweep() == 10.0
    assert await patient.after(9) == []
    assert await patient.after(1) == ["x"]


async def test_a_runner_that_is_silent_holds_up_the_question_to_no_other() -> None:
    patient = Patient(silent=2.0, other=2.0)
    patient.heart.sweep()
    assert await patient.after(2) == ["silent", "other"]
    key = ("other", RunnerId(1))
    patient.heart._served[key].end()
    assert await patient.after(2) == ["other"]


async def test_those_of_one_interval_are_soon_asked_in_one_sweep() -> None:
    patient = Patient(early=10.0)
    patient.heart.sweep()
    patient.now += 4
    patient.locations["late"] = patient._location("late", 10.0)
    patient.heart.sweep()
    assert await patient.after(6) == ["early", "late"]


async def test_an_interval_that_is_made_shorter_counts_at_once() -> None:
    patient = Patient(x=3600.0)
    assert patient.heart.sweep() == 3600.0
    patient.hold_to("x", ping_interval=5.0)
    assert patient.heart.sweep() == 5.0
    assert await patient.after(5) == ["x"]


async def test_the_loop_wakes_when_other_rules_come() -> None:
    patient = Patient(x=3600.0)
    beating = asyncio.ensure_future(patient.heart.run())
    await asyncio.sleep(0)
    patient.hold_to("x", ping_interval=0.001)
    patient.now += 1
    patient.stirred.set()
    await asyncio.wait_for(patient.first.wait(), 60)
    beating.cancel()


async def test_a_question_under_way_is_held_to_a_limit_that_is_made_shorter() -> None:
    patient = Patient(x=10.0)
    patient.heart.sweep()
    await patient.after(10)
    patient.hold_to("x", ping_timeout=1.0)
    assert await patient.after(0) == ["x"]
    assert patient.asked == [("x", 1.0)]


async def test_while_nothing_serves_nothing_wakes() -> None:
    assert Patient().heart.sweep() is None


async def test_a_runner_that_leaves_during_a_sweep_does_not_end_the_sweeps() -> None:
    handle = Handle(None, None)
    where, loop = location(handle), asyncio.get_running_loop()

    def locations() -> list[Location]:
        where.state = State(serving=RunnerId(1))
        loop.call_soon(setattr, where, "state", State())
        return [where]

    heart = Heartbeat(locations, lambda *_: None, asyncio.Event(), unseen)
    beating = asyncio.ensure_future(heart.run())
    await asyncio.wait(
        {asyncio.ensure_future(handle.asked.wait()), beating},
        timeout=60,
        return_when=asyncio.FIRST_COMPLETED,
    )
    assert handle.asked.is_set()
    beating.cancel()
