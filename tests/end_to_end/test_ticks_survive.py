"""A daemon that is killed again and again: each time of each schedule is one run, of one effect."""

from __future__ import annotations

import random
import signal
import struct
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import Dev, wait_for

CLOCK = Path(__file__).parents[1] / "faults" / "clock"
NAMES = [f"s{number}" for number in range(10)]
MINUTES = 100
"""Of ten ticks each."""
CODE = """
import os, time
from codeloc import Definitions, Run, ScheduleDefinition, job

PLACE = {place!r}

@job
def effect(context, name: str = ""):
    line = f"{{name}} {{context.scheduled_for.timestamp():.0f}}\\n"
    file = os.open(PLACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    time.sleep(0.02)

def schedule_of(name):
    def starts(context):
        return Run(params={{"name": name}})
    more = dict(cron="* * * * *", job=effect, catch_up="all", overlap="allow")
    return ScheduleDefinition(starts, name=name, **more)

defs = Definitions(jobs=[effect], schedules=[schedule_of(name) for name in {names!r}])
"""


class KilledDaemons:
    """`codelocd dev --tick`, one after another, by a clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self._home, self._project = folder / "home", folder / "project"
        self._clock, self.effects = folder / "clock", folder / "effects"
        for each in (self._home, self._project):
            each.mkdir()
        self._clock.write_bytes(bytes(8))
        self._ahead = 0.0
        code = CODE.format(place=str(self.effects), names=NAMES)
        (self._project / "sales.py").write_text(code)
        (self._project / "codelocd.toml").write_text('[location.sales]\npython_file = "sales.py"\n')
        self.begin()

    def begin(self) -> None:
        fake = f"PYTHONPATH={CLOCK}", f"CODELOCD_FAKE_CLOCK={self._clock}"
        self.dev = Dev(self._project, self._home, ("--tick",), ("env", *fake))
        self.dev.until_serving("sales")
        wait_for(lambda: len(self.schedules()) == len(NAMES))

    def next_minute(self) -> None:
        """The clock is set to it, and the daemon looks."""
        self._ahead += 60.0 - (time.time() + self._ahead) % 60.0
        self._clock.write_bytes(struct.pack("d", self._ahead))
        self.dev.cli("reload", "sales", "--no-wait")

    def schedules(self) -> list[dict[str, Any]]:
        with self.dev.client() as client:
            found = client.call("schedules", {"ticks": 1000})["schedules"]
        return [each for each in found if each["next"] is not None]

    def runs(self) -> dict[int, dict[str, Any]]:
        with self.dev.client() as client:
            return {each["id"]: each for each in client.call("runs", {"limit": 1000})["runs"]}


def killed_again_and_again(world: KilledDaemons, minutes: int, chance: random.Random) -> None:
    for _ in range(minutes):
        world.next_minute()
        if chance.random() < 0.4:
            time.sleep(chance.uniform(0.0, 1.0))  # it is killed while it is at something
            world.dev.stop(signal.SIGKILL)
            world.begin()


def check_each_once(world: KilledDaemons, minutes: int) -> None:
    wait_for(lambda: all(run["ended"] is not None for run in world.runs().values()))
    wait_for(lambda: all(t["state"] == "run" for s in world.schedules() for t in s["newest"]))
    runs, effects = world.runs(), Counter(world.effects.read_text().splitlines())
    assert max(effects.values()) == 1
    for each in world.schedules():
        ticks = each["newest"][::-1]
        times = [tick["scheduled_for"] for tick in ticks]
        assert len(times) >= minutes
        assert times == [times[0] + 60.0 * number for number in range(len(times))]
        for tick in ticks:
            (number,) = tick["runs"]
            run = runs[number]
            assert (run["by"]["name"], run["scheduled_for"]) == (
                each["name"],
                tick["scheduled_for"],
            )
            if run["state"] == "succeeded":
                assert f"{each['name']} {tick['scheduled_for']:.0f}" in effects
    assert len(runs) == sum(len(each["newest"]) for each in world.schedules())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_ticks_of_daemons_that_are_killed(tmp_path: Path) -> None:
    world = KilledDaemons(tmp_path)
    try:
        killed_again_and_again(world, MINUTES, random.Random(7))
        check_each_once(world, MINUTES)
    finally:
        world.dev.stop()
