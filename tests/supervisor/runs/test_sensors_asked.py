"""Sensors over a real book: who is asked when, and what is kept with which runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.core.registry import Registry
from codelocd.daemon.runs.sensors import SensorParts, Sensors
from codelocd.runs import sensing
from codelocd.runs.book import RunBook
from codelocd.runs.evaluation import Evaluation, RequestedRun, Starter
from codelocd.runs.events import Moment
from codelocd.runs.model import RunRecord
from codelocd.runs.sensor_book import SensorBook
from codelocd.runs.ticks import SchedulePlace

DEADLINE = 60.0
Answer = Callable[[Starter], Evaluation]


def place(name: str, location: str = "sales") -> SchedulePlace:
    return SchedulePlace(location, "__repository__", name)


def listed(name: str = "files", interval: float = 30.0) -> dict[str, Any]:
    where = {"repository": "__repository__", "name": name}
    return {**where, "kind": "sensor", "job": "refresh", "minimum_interval": interval}


def asks(*keys: str | None, cursor: Any = None) -> Evaluation:
    return Evaluation(tuple(RequestedRun(key=key) for key in keys), cursor=cursor)


@dataclass
class World:
    """A daemon as far as sensors know it: time goes on as it is told to."""

    book: RunBook
    answer: Answer = lambda _: Evaluation()
    at: float = 1000.0
    asked: list[Starter] = field(default_factory=list)
    going_on: set[str] = field(default_factory=set)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    taken_in: list[RunRecord] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    switches: dict[SchedulePlace, bool] = field(default_factory=dict)
    code: str | None = "c1"
    is_native: bool = True
    registry: Registry = field(default_factory=Registry)
    sensors: Sensors = field(init=False)

    def __post_init__(self) -> None:
        self.news = asyncio.Event()
        self.sensors = self.daemon()

    def daemon(self) -> Sensors:
        async def run(number: Any) -> RunRecord | None:
            return await asyncio.wrap_future(self.book.run(number))

        parts = SensorParts(
            registry=lambda: self.registry,
            asks=lambda _: self.is_native,
            serves=lambda _: self.code,
            switched=self.switches.get,
            evaluate=self.evaluate,
            fit=lambda wish: wish,
            run=run,
            take_in=self.taken_in.extend,
            report=self.reported.append,
            clock=lambda: Moment(self.at, self.at),
        )
        return Sensors(SensorBook(self.book), parts)

    async def evaluate(self, starter: Starter) -> Evaluation:
        assert starter.name not in self.going_on, "two at a time of one sensor"
        self.going_on.add(starter.name)
        self.asked.append(starter)
        self.stir()
        try:
            if (gate := self.gates.get(starter.name)) is not None:
                await gate.wait()
            return replace(self.answer(starter), code=self.code)
        finally:
            self.going_on.discard(starter.name)
            self.stir()

    def stir(self) -> None:
        self.news.set()

    async def until(self, happened: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not happened():
                self.news.clear()
                turn = asyncio.ensure_future(self.news.wait())
                await asyncio.wait([turn], timeout=0.02)
                turn.cancel()

    async def asked_times(self, count: int, name: str = "files") -> None:
        """Until so many evaluations are over, and what came of them is kept."""
        await self.until(
            lambda: len(self.asked) >= count and self.sensors.next(place(name)) is not None
        )
        assert len(self.asked) == count

    def defines(self, *definitions: dict[str, Any], location: str = "sales") -> None:
        self.registry, _ = self.registry.publish(location, definitions)
        self.sensors.wake()

    async def goes_on(self, seconds: float) -> None:
        """What is due by then has begun: the loop has had several turns."""
        self.at += seconds
        self.sensors.wake()
        for _ in range(50):
            await asyncio.sleep(0)

    def look(self, name: str = "files") -> dict[str, Any]:
        look = sensing.last_look(self.sensors.kept[place(name)])
        assert look is not None
        return look

    async def starts_anew(self) -> None:
        """Another daemon over the same book, with the same code."""
        await self.sensors.close()
        self.sensors = self.daemon()
        await self.sensors.begin()
        self.sensors.wake()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(RunBook(tmp_path / "book"))
    await world.sensors.begin()
    yield world
    await world.sensors.close()
    world.book.close()


async def test_a_sensor_is_asked_an_interval_after_each_end(world: World) -> None:
    world.gates["files"] = asyncio.Event()
    world.defines(listed())
    await world.until(lambda: world.asked)
    await world.goes_on(100)  # it takes its time, and is not asked another time meanwhile
    assert len(world.asked) == 1
    world.gates["files"].set()
    await world.asked_times(1)
    await world.goes_on(29)
    assert len(world.asked) == 1
    await world.goes_on(1)
    await world.asked_times(2)
    assert world.sensors.next(place("files")) == world.at + 30


async def test_one_that_takes_long_delays_no_other(world: World) -> None:
    world.gates["slow"] = asyncio.Event()
    world.defines(listed("slow"), listed("files"))
    await world.until(lambda: len(world.asked) == 2 and world.going_on == {"slow"})
    await world.until(lambda: world.sensors.next(place("files")))
    await world.goes_on(30)
    await world.until(lambda: [each.name for each in world.asked].count("files") == 2)
    assert world.going_on == {"slow"}


async def test_the_cursor_and_the_runs_are_kept_together_and_a_key_starts_once(
    world: World,
) -> None:
    world.answer = lambda starter: asks("a", "b", cursor=["a", "b"])
    world.defines(listed())
    await world.asked_times(1)
    assert [run.wish.key for run in world.taken_in] == [
        "sensor __repository__/files: a",
        "sensor __repository__/files: b",
    ]
    assert (world.look()["state"], world.look()["run"]) == ("run", 2)

    await world.goes_on(30)
    await world.asked_times(2)
    assert len(world.taken_in) == 2
    assert world.asked[1].cursor == ["a", "b"]
    last = world.asked[1].last_run
    assert last is not None
    assert last.id == world.taken_in[1].id
    assert (world.look()["state"], world.look()["why"]) == (
        "skipped",
        "all of its runs have been started before",
    )


async def test_a_run_without_a_key_starts_each_time(world: World) -> None:
    world.answer = lambda _: asks(None)
    world.defines(listed())
    await world.asked_times(1)
    await world.goes_on(30)
    await world.asked_times(2)
    assert [run.id for run in world.taken_in] == [1, 2]


async def test_a_failure_leaves_the_cursor_and_lengthens_the_pause(world: World) -> None:
    world.answer = lambda _: asks(cursor=1)
    world.defines(listed())
    await world.asked_times(1)
    world.answer = lambda _: Evaluation(summary="ValueError: no")
    await world.goes_on(30)
    await world.asked_times(2)
    assert (world.look()["state"], world.look()["why"]) == ("failed", "ValueError: no")
    assert world.sensors.next(place("files")) == world.at + 60
    assert world.reported == ["sensor sales/__repository__/files failed: ValueError: no"]

    world.code = "c2"  # a save: it is asked again without that pause
    world.defines(listed(), listed("other"))
    await world.until(lambda: world.sensors.next(place("files")) == world.at + 30)
    await world.goes_on(30)
    await world.until(lambda: [each.name for each in world.asked].count("files") == 3)
    assert world.asked[-1].cursor == 1 or world.asked[-2].cursor == 1
    await world.until(lambda: world.sensors.kept[place("files")].failures == 2)
    assert [line for line in world.reported if "/files" in line] == world.reported[:1]


async def test_a_reload_and_another_daemon_reset_nothing(world: World) -> None:
    world.answer = lambda _: Evaluation(skipped="nothing new", cursor=7)
    world.defines(listed())
    await world.asked_times(1)
    world.defines(listed(interval=20.0))
    await world.until(lambda: world.sensors.next(place("files")) == 1020.0)
    assert world.look()["why"] == "nothing new"

    await world.starts_anew()
    await world.until(lambda: world.sensors.next(place("files")) == 1020.0)
    assert world.look()["why"] == "nothing new"
    await world.goes_on(20)
    await world.asked_times(2)
    assert world.asked[1].cursor == 7


async def test_one_that_vanishes_keeps_its_cursor(world: World) -> None:
    world.answer = lambda _: asks(cursor=7)
    world.defines(listed())
    await world.asked_times(1)
    world.defines(listed("other"))
    await world.until(lambda: world.sensors.next(place("other")))
    world.defines(listed(), listed("other"))
    await world.until(lambda: world.sensors.next(place("files")) == 1030.0)
    await world.goes_on(30)
    await world.until(lambda: [each.name for each in world.asked].count("files") == 2)
    assert all(each.cursor == 7 for each in world.asked[2:])


async def test_one_that_is_switched_off_is_not_asked_and_what_it_says_does_not_count(
    world: World,
) -> None:
    world.answer = lambda _: asks("a", cursor=1)
    world.gates["files"] = asyncio.Event()
    world.defines(listed())
    await world.until(lambda: world.going_on)
    world.switches[place("files")] = False
    world.sensors.wake()
    await world.until(lambda: not world.going_on)
    assert world.sensors.next(place("files")) is None
    await world.goes_on(300)
    assert (len(world.asked), world.taken_in) == (1, [])

    world.gates["files"].set()
    world.switches[place("files")] = True
    world.sensors.wake()
    await world.asked_times(2)
    assert world.asked[1].cursor is None


async def test_a_reload_does_not_break_off_what_is_being_asked(world: World) -> None:
    """For a moment it is not known what serves; what is defined stays the same."""
    world.answer = lambda _: asks("a", cursor=1)
    world.gates["files"] = asyncio.Event()
    world.defines(listed())
    await world.until(lambda: world.going_on)
    world.code = None
    await world.goes_on(1)
    world.code = "c2"
    world.gates["files"].set()
    await world.asked_times(1)
    assert len(world.taken_in) == 1


async def test_one_that_its_code_has_off_is_asked_once_it_is_switched_on(world: World) -> None:
    world.defines({**listed(), "enabled": False})
    await world.goes_on(300)
    assert world.asked == []
    world.switches[place("files")] = True
    world.sensors.wake()
    await world.asked_times(1)


async def test_nothing_is_asked_while_nothing_is_served(world: World) -> None:
    """The location was stopped, or has never loaded."""
    world.code = None
    world.defines(listed())
    await world.goes_on(300)
    assert world.asked == []
    world.code = "c4"
    world.sensors.wake()
    await world.asked_times(1)
    assert world.look()["state"] == "skipped"


async def test_sensors_of_dagsters_are_left_alone(world: World) -> None:
    world.is_native = False
    world.defines(listed())
    await world.goes_on(300)
    assert (world.asked, world.sensors.next(place("files"))) == ([], None)


async def test_a_daemon_that_ends_has_asked_for_all_or_for_nothing(world: World) -> None:
    """What is being asked is ended, and the next daemon asks with the cursor from before."""
    world.answer = lambda _: asks("a", cursor=1)
    world.defines(listed())
    await world.asked_times(1)
    world.answer = lambda _: asks("b", cursor=2)
    world.gates["files"] = asyncio.Event()
    await world.goes_on(30)
    await world.until(lambda: world.going_on)
    await world.starts_anew()
    assert [run.wish.key for run in await asyncio.wrap_future(world.book.unfinished())] == [
        "sensor __repository__/files: a"
    ]
    world.gates["files"].set()
    await world.asked_times(3)
    assert world.asked[2].cursor == 1
    assert len(world.taken_in) == 2


async def test_a_book_that_cannot_be_written_starts_nothing_and_is_told(world: World) -> None:
    world.answer = lambda _: asks("a", cursor=1)
    await asyncio.wrap_future(world.book.carry_out(lambda c: c.execute("DROP TABLE sensors")))
    world.defines(listed())
    await world.asked_times(1)
    assert world.look()["state"] == "failed"
    assert "no such table" in world.reported[0]
    assert world.taken_in == []
    assert await asyncio.wrap_future(world.book.unfinished()) == []
    create = "CREATE TABLE sensors (location, repository, name PRIMARY KEY, kept, seen)"
    await asyncio.wrap_future(world.book.carry_out(lambda c: c.execute(create)))
    await world.goes_on(60)
    await world.asked_times(2)
    assert world.asked[1].cursor is None
    assert len(world.taken_in) == 1


async def test_a_fault_of_ours_is_told_and_no_reason_to_ask_without_a_pause(world: World) -> None:
    def fault(_starter: Starter) -> Evaluation:
        raise KeyError("a mistake")

    world.answer = fault
    world.defines(listed())
    await world.asked_times(1)
    assert world.look()["why"] == "a fault of codelocd: KeyError('a mistake')"
    assert world.reported == [
        "sensor sales/__repository__/files: a fault of codelocd: KeyError('a mistake')"
    ]
    assert world.sensors.next(place("files")) == world.at + 60


async def test_what_changes_nothing_is_not_written_each_time(world: World) -> None:
    world.answer = lambda _: Evaluation(skipped="nothing new")
    world.defines(listed(interval=5.0))
    await world.asked_times(1)
    (before,) = (await asyncio.wrap_future(SensorBook(world.book).sensors())).values()
    for count in range(2, 5):
        await world.goes_on(5)
        await world.asked_times(count)
    (after,) = (await asyncio.wrap_future(SensorBook(world.book).sensors())).values()
    assert (after.look, world.look()["at"]) == (before.look, 1015.0)
    await world.goes_on(60)
    await world.asked_times(5)
    (after,) = (await asyncio.wrap_future(SensorBook(world.book).sensors())).values()
    assert after.look is not None
    assert after.look.at == world.look()["at"]


async def test_old_sensors_are_left_out_of_the_book(world: World) -> None:
    world.answer = lambda _: asks(cursor=1)
    world.defines(listed(), listed("other"))
    await world.until(lambda: len(world.asked) == 2 and not world.going_on)
    await world.until(lambda: world.sensors.next(place("files")))
    sensors = SensorBook(world.book)
    month = world.at + 31 * 86400
    await asyncio.wrap_future(sensors.prune(month, [place("files")]))
    left = await asyncio.wrap_future(sensors.sensors())
    assert list(left) == [place("files")]
