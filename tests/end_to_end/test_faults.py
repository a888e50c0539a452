"""Faults at random, from a seed: what must always hold is looked at from outside, in /proc."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from daemons import Dev, StartDev, native, serving

from codelocd.client import RpcError

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what processes there are is read from Linux's /proc"
)

NAMES = ("plain", "loud", "forks", "slow")
TRUTH = 30.0
"""Seconds in which what the daemon says and what runs must agree; far more than it takes."""

STRAY = "import subprocess\nsubprocess.Popen(['sh', '-c', 'setsid sleep 600 & exit 0']).wait()\n"
BEFORE = {
    "plain": "",
    "loud": "for _ in range(999):\n    print('x' * 99)\n",
    "forks": STRAY,
    "slow": "import time\ntime.sleep(0.3)\n",
}
BUGS = ("Exception in callback", "exception was never retrieved", "internal error")
BROKEN = ("def (", "raise RuntimeError('oh')", "import os; os._exit(3)", "1 / 0")


class World:
    """What the driver did, and so what must be true in the end."""

    def __init__(self, daemon: Dev, project: Path, seed: int) -> None:
        self.daemon = daemon
        self.project = project
        self.random = random.Random(seed)
        self.configured = set(NAMES)
        self.asset = dict.fromkeys(NAMES, "a0")
        self.log: list[str] = []
        self.counter = 0

    def act(self) -> None:
        often = [self.kill, self.save, self.order]
        seldom = [self.kill_twice, self.break_, self.edit_config, self.burst, self.stop_process]
        action = self.random.choice([*often, *often, *seldom])
        name = self.random.choice(NAMES)
        self.log.append(f"{action.__name__} {name}")
        action(name)

    def kill(self, name: str) -> None:
        for pid in runners(self.daemon, name):
            _signal(pid, signal.SIGKILL)

    def kill_twice(self, name: str) -> None:
        self.kill(name)
        self.kill(name)

    def stop_process(self, name: str) -> None:
        for pid in runners(self.daemon, name):
            _signal(pid, signal.SIGSTOP)

    def save(self, name: str) -> None:
        self.counter += 1
        self.asset[name] = f"a{self.counter}"
        (self.project / f"{name}.py").write_text(native(self.asset[name], before=BEFORE[name]))

    def break_(self, name: str) -> None:
        (self.project / f"{name}.py").write_text(self.random.choice(BROKEN))

    def burst(self, name: str) -> None:
        for _ in range(self.random.randint(2, 6)):
            self.random.choice([self.save, self.break_])(name)

    def order(self, name: str) -> None:
        method = self.random.choice(["start", "stop", "restart", "reload"])
        self.log[-1] += f" {method}"
        # It may be removed from the config, or stopped.
        with contextlib.suppress(RpcError), self.daemon.client() as client:
            client.call(method, {"locations": [name], "wait": False})

    def edit_config(self, name: str) -> None:
        self.configured ^= {name}
        self.write_config()

    def write_config(self) -> None:
        text = "".join(
            f'[location.{name}]\npython_file = "{name}.py"\nping_interval = "1s"\n'
            'ping_timeout = "1s"\nstop_timeout = "4s"\nstart_timeout = "8s"\n'
            'backoff = { initial = "10ms", maximum = "200ms" }\n'
            'start_method = "spawn"\n'  # a forked one cannot be told by its command line
            for name in sorted(self.configured)
        )
        (self.project / "codelocd.toml").write_text(text or "[daemon]\n")

    def repair(self) -> None:
        """Everything is in order again, and the daemon knows it."""
        self.configured = set(NAMES)
        self.write_config()
        for name in NAMES:
            self.save(name)
        self.until(lambda: {each["name"] for each in self.entries()} == set(NAMES), "all listed")
        with self.daemon.client() as client:
            client.call("start", {"all": True})
            client.call("reload", {"all": True})
        self.until(lambda: all(serving(each) for each in self.entries()), "all serving")
        wanted = sorted(f"asset {self.asset[name]}" for name in NAMES)
        self.until(lambda: sorted(self.daemon.definitions()) == wanted, "the last saves listed")

    def entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.daemon.status()["locations"]
        return found

    def until_true(self) -> None:
        """What the daemon says is what there is: one runner where it serves, else none."""
        self.until(lambda: self.lies() == [], "the truth")

    def lies(self) -> list[str]:
        found = []
        for entry in self.entries():
            alive = runners(self.daemon, entry["name"])
            known = [] if entry["pid"] is None else [entry["pid"]]
            if entry["state"] not in ("serving", "stopped", "failed") or entry["reloading"]:
                found.append(f"{entry['name']} is {entry['state']}, reloading {entry['reloading']}")
            elif alive != known:
                found.append(f"{entry['name']} is {entry['state']} by {known}; there are {alive}")
        strays, forkers = sleepers(self.daemon), runners(self.daemon, "forks")
        if len(strays) > len(forkers):
            found.append(f"strays {strays} of runners {forkers}")
        return found

    def said(self) -> list[str]:
        return [line for line in self.daemon.printed if "| xx" not in line][-40:]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits for what is seen from outside only; no event tells of it."""
        end = time.monotonic() + TRUTH
        while not holds():
            story = [*self.log[-25:], *self.lies(), *self.said(), *descriptors(self.daemon)]
            assert time.monotonic() < end, f"no {what} within {TRUTH:g} s:\n" + "\n".join(story)
            self.daemon.process.poll()
            time.sleep(0.05)  # a poll of /proc, bounded by the deadline above


def family(daemon: Dev) -> Iterator[psutil.Process]:
    """Every process that descends from the daemon, itself left out, whoever is its parent now."""
    mark = f"XDG_STATE_HOME={daemon.environ['XDG_STATE_HOME']}".encode()
    for process in psutil.process_iter():
        try:
            variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in variables and process.pid != daemon.process.pid:
            yield process


def runners(daemon: Dev, name: str) -> list[int]:
    """The runners of a location that are alive."""
    return [pid for pid, words in _commands(daemon) if "codeloc_runner" in words and name in words]


def sleepers(daemon: Dev) -> list[int]:
    return [pid for pid, words in _commands(daemon) if words.startswith("sleep")]


def _commands(daemon: Dev) -> list[tuple[int, str]]:
    found = []
    for process in family(daemon):
        try:
            command = process.cmdline()
            found.append((process.pid, " ".join([*command[:2], *command[2:3]])))
        except psutil.Error:
            continue
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def descriptors(daemon: Dev) -> list[str]:
    """What each open descriptor of the daemon refers to, the logs left out.

    The daemon holds one log open for each location that has printed something.
    """
    found = []
    for each in Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(each))
    logs = [each for each in found if each.endswith(".log")]
    assert len(logs) == len(set(logs)) <= len(NAMES), logs
    return sorted(each for each in found if each not in logs)


def drive(start: StartDev, project: Path, seed: int, seconds: float) -> None:
    for name in NAMES:
        (project / f"{name}.py").write_text(native("a0", before=BEFORE[name]))
    configuring = World.__new__(World)
    configuring.project, configuring.configured = project, set(NAMES)
    configuring.write_config()
    daemon = start()
    world = World(daemon, project, seed)
    world.repair()
    world.until_true()
    before = descriptors(daemon)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(world.random.randint(1, 8)):
            world.act()
            time.sleep(world.random.choice([0, 0, 0.02, 0.2]))  # when things happen is the driver's
        world.until_true()
    world.repair()
    world.until_true()
    world.until(lambda: len(descriptors(daemon)) <= len(before), f"descriptors as before: {before}")
    left = list(family(daemon))
    assert daemon.stop() == 0
    _, alive = psutil.wait_procs(left, timeout=TRUTH)
    assert alive == [], f"seed {seed}: {alive} outlived the daemon"
    bugs = [line for line in daemon.printed if any(sign in line for sign in BUGS)]
    assert bugs == [], f"seed {seed}"


def test_what_must_hold_holds_after_ten_seconds_of_faults(dev: StartDev, project: Path) -> None:
    drive(dev, project, seed=1, seconds=10)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [2, 3])
def test_what_must_hold_holds_after_a_minute_of_faults(
    dev: StartDev, project: Path, seed: int
) -> None:
    drive(dev, project, seed=seed, seconds=50)
