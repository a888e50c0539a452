"""What makes supervision quick: nothing is polled, and nothing waits for its turn without need.

How quick it is, `make bench` measures.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.daemons import DEADLINE, Dev, StartDev, native, serving, wait_for

MANY = 3

MEMORY = 2 * 1024 * 1024
"""Bytes that the daemon may have more after thousands of restarts."""

ALONE = """\
[location.sales]
python_file = "defs.py"
healthy_after = 0
ping_interval = "1h"
restart_limit = { count = 100, period = "1h" }
"""

TOGETHER = """\
import atexit, os, time
from pathlib import Path

def meet(what, seconds):
    Path(f"{{what}}-{number}").touch()
    end = time.monotonic() + seconds
    while len(list(Path().glob(f"{{what}}-*"))) < {many} and time.monotonic() < end:
        time.sleep(0.01)
    if len(list(Path().glob(f"{{what}}-*"))) == {many}:
        Path(f"all-{{what}}-{number}").touch()

atexit.register(meet, "left", 4)
meet("came", {seconds})
"""


def test_promise_1_each_killed_runner_is_replaced_although_nothing_is_polled(
    dev: StartDev, project: Path
) -> None:
    """No ping would come within an hour; that the first restart is immediate holds for each."""
    (project / "codelocd.toml").write_text(ALONE)
    (project / "defs.py").write_text(native("orders"))
    daemon = dev()
    daemon.until_serving("sales")
    for restarts in range(1, 6):
        former = daemon.entry("sales")["pid"]
        os.kill(former, signal.SIGKILL)
        replaced = partial(lambda old, each: serving(each) and each["pid"] != old, former)
        entry = daemon.until("sales", replaced)
        assert entry["restarts"] == restarts


@pytest.fixture
def together(dev: StartDev, project: Path) -> Dev:
    """Locations that come and go only together: each waits for all others, at both ends."""
    config = [f'[location.l{n}]\npython_file = "d{n}.py"\n' for n in range(MANY)]
    (project / "codelocd.toml").write_text("".join(config))
    for number in range(MANY):
        before = TOGETHER.format(number=number, many=MANY, seconds=DEADLINE)
        (project / f"d{number}.py").write_text(native(f"a{number}", before=before))
    daemon = dev()
    daemon.until_serving(*(f"l{number}" for number in range(MANY)))
    return daemon


def test_promise_12_no_location_waits_for_another_to_be_ready(together: Dev, project: Path) -> None:
    assert len(list(project.glob("all-came-*"))) == MANY


def test_promise_16_no_location_waits_for_another_to_be_gone(together: Dev, project: Path) -> None:
    assert together.cli("stop", "--all").returncode == 0
    assert len(list(project.glob("all-left-*"))) == MANY


@pytest.mark.skipif(sys.platform != "linux", reason="/proc counts how often a thread was woken")
def test_promise_13_a_daemon_at_rest_is_not_woken(dev: StartDev, project: Path) -> None:
    """Without heartbeats: once it has come to rest, three seconds pass without a wake-up."""
    config = [
        f'[location.l{n}]\npython_file = "d{n}.py"\nping_interval = "1h"\n' for n in range(MANY)
    ]
    (project / "codelocd.toml").write_text("".join(config))
    for number in range(MANY):
        (project / f"d{number}.py").write_text(native(f"a{number}"))
    daemon = dev()
    daemon.until_serving(*(f"l{number}" for number in range(MANY)))
    calm, end = 0, time.monotonic() + DEADLINE
    while calm < 3:
        assert time.monotonic() < end, "something wakes it again and again"
        before = wake_ups(daemon.process.pid)
        time.sleep(1)  # what is looked at is that nothing happens meanwhile
        calm = calm + 1 if wake_ups(daemon.process.pid) == before else 0


def wake_ups(pid: int) -> int:
    """How often a thread of the process gave up the processor to wait."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = status.read_text().splitlines()
        found += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return found


def test_promise_21_no_call_fails_while_the_location_is_loaded_anew(
    dev: StartDev, project: Path
) -> None:
    """A call in a row with the next, for as long as two saves take to be served."""
    (project / "defs.py").write_text(native("a0"))
    daemon = dev("-f", "defs.py")
    daemon.until_serving("defs")
    answered, over = set(), threading.Event()

    def ask() -> None:
        with daemon.client() as client:
            while not over.is_set():
                said = client.call("call", {"location": "defs", "method": "ping"})
                answered.add(said["generation"])

    with ThreadPoolExecutor(1) as calls:
        asking = calls.submit(ask)
        try:
            for number in range(1, 3):
                (project / "defs.py").write_text(native(f"a{number}"))
                served = partial(lambda each, which: each["generation"] > which, which=number)
                daemon.until("defs", served)
        finally:
            over.set()
        asking.result(DEADLINE)
    assert len(answered) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
@pytest.mark.parametrize(
    ("first", "restarts"),
    [(8, 16), pytest.param(200, 2_400, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def test_promise_10_restarts_leave_no_descriptor_and_no_memory_behind(
    dev: StartDev, project: Path, first: int, restarts: int
) -> None:
    """Counted from when the `first` are over, which run most of the daemon's code for the first
    time: 1.6 MB. The histories that it keeps are full after 2,000, and so have their share."""
    names = [f"l{number}" for number in range(4)]
    for name in names:
        (project / f"{name}.py").write_text(native(name))
    config = ALONE.replace("[location.sales]", "[defaults]").replace(
        'python_file = "defs.py"\n', ""
    )
    locations = [f'[location.{name}]\npython_file = "{name}.py"\n' for name in names]
    (project / "codelocd.toml").write_text(config + "".join(locations))
    daemon = dev()
    daemon.until_serving(*names)
    process = psutil.Process(daemon.process.pid)
    with daemon.client() as client:
        for _ in range(first // len(names)):
            client.call("restart", {"all": True}, timeout=DEADLINE)
        descriptors, memory = at_rest(process)
        for _ in range(restarts // len(names)):
            client.call("restart", {"all": True}, timeout=DEADLINE)
        daemon.until_serving(*names)
    wait_for(lambda: process.num_fds() <= descriptors)
    wait_for(lambda: restarts < 1_000 or process.memory_info().rss <= memory + MEMORY)


def at_rest(process: psutil.Process) -> tuple[int, int]:
    """Its descriptors and its memory, the least of a second: what comes and goes is left out."""
    looks = []
    for _ in range(10):
        looks.append((process.num_fds(), process.memory_info().rss))
        time.sleep(0.1)
    return min(files for files, _ in looks), min(memory for _, memory in looks)
