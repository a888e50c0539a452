"""A daemon and its attempts are killed again and again: each time of each schedule is one run, and
has its effect at most once.

Under `serve` runs go on without their daemon, under `dev` they end with it. `TICKS_SECONDS`: the
time over which the thousand ticks are spread; without it they come as fast as the daemons start.
`make test-ticks` takes ten minutes for each of the two.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import struct
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import commands
from tests.end_to_end.daemons import CODELOCD, DEADLINE, Dev, Service, wait_for
from tests.faults.processes import is_alive, is_of_a_run

CLOCK = Path(__file__).parents[1] / "faults" / "clock"
NAMES = [f"s{number}" for number in range(10)]
MINUTES = 100
"""Of ten ticks each."""
SECONDS = float(os.environ.get("TICKS_SECONDS", "0"))
LONGEST = 1200.0
"""Seconds for the runs that a busy machine has not come to yet."""
PAUSE = 0.3
"""Seconds between two looks at which an attempt may be killed, on the average."""
UPGRADES = 12
"""Of a daemon, one in each minute."""
CODE = """
import os, random, time
from codeloc import Definitions, Run, ScheduleDefinition, job

PLACE = {place!r}

def note(*words):
    file = os.open(PLACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (" ".join(map(str, words)) + "\\n").encode())
    os.close(file)

@job
def effect(context, name: str = ""):
    token = f"{{name}}@{{context.scheduled_for.timestamp():.0f}}"
    began = open("/proc/self/stat").read().rpartition(")")[2].split()[19]
    note("begin", token, os.getpid(), began)
    time.sleep(random.expovariate(5))
    note("end", token, os.getpid(), began)

def schedule_of(name):
    def starts(context):
        return Run(params={{"name": name}})
    more = dict(cron="* * * * *", job=effect, catch_up="all", overlap="allow")
    return ScheduleDefinition(starts, name=name, **more)

defs = Definitions(jobs=[effect], schedules=[schedule_of(name) for name in {names!r}])
"""


class KilledDaemons:
    """`codelocd dev --tick`, or `serve`, one after another, by a clock that the test sets."""

    def __init__(self, folder: Path, command: str) -> None:
        self.serves = command == "serve"
        self._home, self._project = folder / "home", folder / "project"
        self._clock, self._effects = folder / "clock", folder / "effects"
        for each in (self._home, self._project):
            each.mkdir()
        self._clock.write_bytes(bytes(8))
        self._ahead = 0.0
        self.daemons, self.killed = 0, set[str]()
        code = CODE.format(place=str(self._effects), names=NAMES)
        (self._project / "sales.py").write_text(code)
        (self._project / "codelocd.toml").write_text('[location.sales]\npython_file = "sales.py"\n')
        self.begin()

    def begin(self) -> None:
        fake = "env", f"PYTHONPATH={CLOCK}", f"CODELOCD_FAKE_CLOCK={self._clock}"
        if self.serves:
            (self._home / "notify").unlink(missing_ok=True)
            self.daemon: Dev | Service = Service(self._project, self._home, (*fake, CODELOCD))
            assert self.daemon.process.stdout is not None
            threading.Thread(target=self.daemon.process.stdout.read, daemon=True).start()
            self.daemon.told(b"READY=1")
        else:
            self.daemon = Dev(self._project, self._home, ("--tick",), fake)
        self.until_it_ticks()

    def until_it_ticks(self) -> None:
        self.daemons += 1
        self.daemon.until_serving("sales")
        wait_for(lambda: len(self.schedules()) == len(NAMES))

    def next_minute(self) -> None:
        """The clock is set to it, and the daemon looks."""
        self._ahead += 60.0 - (time.time() + self._ahead) % 60.0
        with self._clock.open("r+b") as clock:  # never empty: the daemon has it in its memory
            clock.write(struct.pack("d", self._ahead))
        self.ask("reload", locations=["sales"], wait=False)

    def kill_daemon(self) -> None:
        """The next one begins."""
        self.end(signal.SIGKILL)
        self.begin()

    def upgrade(self) -> None:
        """The next one is the same process."""
        done = commands.run(["upgrade"], environ=self.daemon.environ)
        assert done.returncode == 0, done.stderr
        self.until_it_ticks()

    def end(self, number: int = signal.SIGTERM) -> None:
        self.daemon.process.send_signal(number)
        self.daemon.process.wait(DEADLINE)
        if isinstance(self.daemon, Service):
            self.daemon.manager.close()

    def ask(self, method: str, **params: Any) -> Any:
        with self.daemon.client() as client:
            return client.call(method, params)

    def kill_attempt(self, chance: random.Random) -> None:
        """One that runs user code, if there is any."""
        alive = [each for each in self.effects("begin") if self.is_there(each)]
        if alive:
            token, pid, began = chance.choice(alive)
            if is_alive(pid, began) and is_of_a_run(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed.add(token)

    def effects(self, kind: str) -> list[tuple[str, int, str]]:
        """`begin` or `end`: the token, the process, and when that began."""
        lines = self._effects.read_text().splitlines() if self._effects.exists() else []
        found = [line.split() for line in lines]
        return [(token, int(pid), began) for what, token, pid, began in found if what == kind]

    @staticmethod
    def is_there(effect: tuple[str, int, str]) -> bool:
        _, pid, began = effect
        return is_alive(pid, began)

    def schedules(self) -> list[dict[str, Any]]:
        found = self.ask("schedules", ticks=1000)["schedules"]
        return [each for each in found if each["next"] is not None]

    def runs(self) -> dict[int, dict[str, Any]]:
        found, more = dict[int, dict[str, Any]](), True
        while more:
            asked = {"before": min(found)} if found else {}
            page = self.ask("runs", limit=500, **asked)
            found.update((each["id"], each) for each in page["runs"])
            more = page["more"]
        return found


def killed_again_and_again(world: KilledDaemons, minutes: int, chance: random.Random) -> None:
    began = time.monotonic()
    for number in range(1, minutes + 1):
        world.next_minute()
        end = max(began + SECONDS * number / minutes, time.monotonic() + chance.uniform(0.0, 1.0))
        daemon = time.monotonic() + chance.random() * (end - time.monotonic())
        dies = chance.random() < 0.4
        while (now := time.monotonic()) < end:
            if dies and now >= daemon:
                world.kill_daemon()
                dies = False
            if chance.random() < 0.3:
                world.kill_attempt(chance)
            time.sleep(min(chance.expovariate(1 / PAUSE), max(0.0, end - time.monotonic())))


def check_each_once(world: KilledDaemons, minutes: int) -> None:
    wait_for(
        lambda: (
            all(t["state"] == "run" for s in world.schedules() for t in s["newest"])
            and all(run["ended"] is not None for run in world.runs().values())
        ),
        LONGEST,
    )
    runs, begun = world.runs(), Counter(token for token, _, _ in world.effects("begin"))
    done = Counter(token for token, _, _ in world.effects("end"))
    assert max(begun.values()) == max(done.values()) == 1
    assert not [each for each in world.effects("begin") if world.is_there(each)]
    outcomes = Counter[str]()
    for each in world.schedules():
        ticks = each["newest"][::-1]
        times = [tick["scheduled_for"] for tick in ticks]
        assert len(times) >= minutes
        assert times == [times[0] + 60.0 * number for number in range(len(times))]
        for tick in ticks:
            (number,) = tick["runs"]
            run, token = runs[number], f"{each['name']}@{tick['scheduled_for']:.0f}"
            assert (run["by"]["name"], run["scheduled_for"]) == (
                each["name"],
                tick["scheduled_for"],
            )
            outcomes[outcome(run, token, world)] += 1
            assert (run["state"] == "succeeded") <= (token in done)
    assert len(runs) == sum(len(each["newest"]) for each in world.schedules())
    print(f"\n{len(runs)} ticks and runs, {world.daemons} daemons, {len(world.killed)} attempts")
    for words, count in sorted(outcomes.items()):
        print(f"  {count:5} {words}")


def outcome(run: dict[str, Any], token: str, world: KilledDaemons) -> str:
    """What became of it, and how far its code had come: nothing ends badly that was not killed."""
    if run["state"] == "succeeded":
        return "succeeded"
    begun = {each for each, _, _ in world.effects("begin")}
    done = {each for each, _, _ in world.effects("end")}
    came = "after its effect" if token in done else "at it" if token in begun else "before it began"
    by = "with its attempt" if token in world.killed else "with its daemon"
    assert run["state"] == "lost" or (run["state"], run["why"]) == ("failed", "signal"), run
    assert token in world.killed or (run["state"] == "lost" and not world.serves), run
    return f"{run['state']}: killed {by}, {came}"


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_thousand_ticks_of_daemons_and_attempts_that_are_killed(
    tmp_path: Path, command: str
) -> None:
    world = KilledDaemons(tmp_path, command)
    try:
        killed_again_and_again(world, MINUTES, random.Random(7))
        check_each_once(world, MINUTES)
    finally:
        world.end()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ticks_of_a_daemon_that_is_upgraded(tmp_path: Path) -> None:
    world, chance = KilledDaemons(tmp_path, "serve"), random.Random(7)
    try:
        for _ in range(UPGRADES):
            world.next_minute()
            time.sleep(chance.uniform(0.0, 1.0))  # while it asks schedules, or runs go on
            world.upgrade()
        check_each_once(world, UPGRADES)
        assert {run["state"] for run in world.runs().values()} == {"succeeded"}
    finally:
        world.end()
