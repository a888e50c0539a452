"""What docs/reliability.md promises of output and events, each promise by its number."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from codelocd.client import Client
from codelocd.process.child import Children
from codelocd.process.guardian import Guardian
from codelocd.storage.logs import Logs
from tests import commands
from tests.end_to_end.daemons import CODELOCD, DEADLINE, Service, StartDev, failed, native, wait_for

SLACK = 5
"""Times that a promised duration may take here: the machine may be busy with other tests."""

CONFIG = '[daemon]\nlog_format = "json"\n[location.sales]\npython_file = "defs.py"\n'

ORDERS = """\
import os, subprocess, sys, threading, time

def obey():
    done = 0
    while True:
        while not os.path.exists(f"order-{done}"):
            time.sleep(0.01)
        with open(f"order-{done}") as order:
            code = order.read()
        subprocess.run([sys.executable, "-c", code])
        done += 1

threading.Thread(target=obey, daemon=True).start()
"""
"""Runs what a test orders, as a child that prints to where the runner prints."""

FLOOD = """\
import os, time
slowest = 0.0
for n in range({first}, {first} + {lines}):
    began = time.monotonic()
    os.write(1, b"%08d {filler}\\n" % n)
    slowest = max(slowest, time.monotonic() - began)
with open("flooded", "w") as told:
    told.write(str(slowest))
os.rename("flooded", "flooded-{first}")
"""


class Location:
    """The one location of a project, which prints what it is told to."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self._orders = 0
        (project / "codelocd.toml").write_text(CONFIG)
        (project / "defs.py").write_text(native("orders", before=ORDERS))

    def run(self, code: str) -> None:
        order = self.project / "order.new"
        order.write_text(code)
        order.rename(self.project / f"order-{self._orders}")
        self._orders += 1

    def flood(self, lines: int, first: int = 0, filler: str = "x" * 94) -> None:
        """103 bytes a line."""
        self.run(FLOOD.format(first=first, lines=lines, filler=filler))

    def has_flooded(self, first: int = 0) -> bool:
        return (self.project / f"flooded-{first}").exists()

    def flooded(self, first: int = 0) -> float:
        """The seconds that the slowest line took its writer, once all are written."""
        wait_for(lambda: self.has_flooded(first))
        return float((self.project / f"flooded-{first}").read_text())


@pytest.fixture
def location(project: Path) -> Location:
    return Location(project)


@pytest.fixture
def service(location: Location, tmp_path: Path) -> Iterator[Service]:
    service = Service(location.project, tmp_path)
    service.until_logged("loaded")
    yield service
    service.stop()


def all_lines(client: Client) -> list[dict[str, Any]]:
    """Everything that `logs` has of the location, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        after = {"sales": found[-1]["seq"] if found else 0}
        page = client.call("logs", {"lines": 20_000, "after": after}, timeout=DEADLINE)["lines"]
        if not page:
            return found
        found += page


def printed(client: Client, text: str) -> Any:
    """The newest line, where it is this one."""
    lines = client.call("logs", {"lines": 1}, timeout=DEADLINE)["lines"]
    return [line for line in lines if line["text"].startswith(text)]


# --- 17: a flood --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines", [100_000, pytest.param(1_048_576, marks=pytest.mark.slow)], ids=["10 MB", "108 MB"]
)
def test_promise_17_a_flood_of_output_loses_no_line(
    location: Location, service: Service, tmp_path: Path, lines: int
) -> None:
    daemon = psutil.Process(service.process.pid)
    before = most = daemon.memory_info().rss
    took = []
    with service.client() as client:
        location.flood(lines)
        while not location.has_flooded():
            began = time.monotonic()
            client.call("status", timeout=DEADLINE)
            took.append(time.monotonic() - began)
            most = max(most, daemon.memory_info().rss)
            time.sleep(0.005)
        wait_for(lambda: printed(client, f"{lines - 1:08d} "))
        found = all_lines(client)
    assert [line["text"] for line in found] == [f"{n:08d} {'x' * 94}" for n in range(lines)]
    assert [line["seq"] for line in found] == list(range(1, lines + 1))
    assert sorted(took)[int(len(took) * 0.99)] <= 0.1 * SLACK
    assert most - before <= 8_000_000
    service.process.terminate()  # compresses what is not yet
    service.process.wait(DEADLINE)
    files = sorted((tmp_path / "state" / "logs").iterdir())
    assert len(files) > 1
    for file in files:
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
        assert content.endswith(b"\n")
        assert all(len(line.split(b" ", 5)[5]) == 94 for line in content.splitlines())


class Follower:
    """`codelocd logs -f --json`."""

    def __init__(self, environ: dict[str, str], project: Path) -> None:
        self.process = subprocess.Popen(
            [CODELOCD, "logs", "-f", "--json", "--wait", str(DEADLINE)],
            cwd=project,
            env=environ,
            stdout=subprocess.PIPE,
        )

    def numbers(self, last: int) -> list[int]:
        """The numbers of the lines that come, up to this one."""
        assert self.process.stdout is not None
        found: list[int] = []
        for line in self.process.stdout:
            document = json.loads(line)
            assert "gap" not in document, document
            found.append(document["seq"])
            if document["seq"] >= last:
                break
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


SAME = "import os\nfor n in range({lines}): os.write({stream}, b'same line\\n')"


@pytest.mark.parametrize("reads", ["at once", "when all is over"])
def test_promise_17_a_follower_gets_each_of_many_equal_lines_once(
    location: Location, service: Service, reads: str
) -> None:
    """Also one that reads nothing meanwhile, for whom the daemon cannot keep that much."""
    follower = Follower(service.environ, location.project)
    try:
        with service.client() as client:
            location.run(SAME.format(lines=1, stream=1))
            assert follower.numbers(1) == [1]
            location.run(SAME.format(lines=120_000, stream=1))
            if reads == "when all is over":
                wait_for(lambda: client.call("logs", {"lines": 1})["last"]["sales"] == 120_001)
            assert follower.numbers(120_001) == list(range(2, 120_002))
    finally:
        follower.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_promise_17_numbers_and_followers_go_on_under_the_next_daemon(
    dev: StartDev, location: Location, number: int
) -> None:
    first = dev()
    first.until_serving("sales")
    follower = Follower(first.environ, location.project)
    try:
        location.run(SAME.format(lines=50, stream=1))
        assert follower.numbers(50) == list(range(1, 51))
        location.run(SAME.format(lines=1, stream=2))
        assert follower.numbers(51) == [51]
        first.stop(number)
        for order in location.project.glob("order-*"):
            order.unlink()
        again = Location(location.project)
        second = dev()
        second.until_serving("sales")
        again.run(SAME.format(lines=50, stream=1))
        assert follower.numbers(101) == list(range(52, 102))
        newest = [json.loads(line) for line in second.cli("logs", "--json").stdout.splitlines()]
        assert [line["seq"] for line in newest] == list(range(2, 102))
        errors = second.cli("logs", "--stream", "stderr", "--json").stdout.splitlines()
        assert [json.loads(line)["seq"] for line in errors] == [51]
    finally:
        follower.close()


# --- 18: last words -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "exit_"),
    [("ctypes.CDLL(None)._exit(7)", {"status": 7}), ("os.kill(os.getpid(), 9)", {"signal": 9})],
    ids=["exit", "kill"],
)
def test_promise_18_the_last_lines_before_an_exit_and_the_exit_are_shown(
    dev: StartDev, project: Path, end: str, exit_: dict[str, Any]
) -> None:
    (project / "codelocd.toml").write_text(
        '[location.sales]\npython_file = "defs.py"\nrestart = "never"\n'
    )
    (project / "defs.py").write_text(
        "import ctypes, os\n"
        "os.write(1, b''.join(b'%06d\\n' % n for n in range(50_000)))\n"
        f"os.write(2, b'last words'); {end}\n"
    )
    daemon = dev()
    daemon.until("sales", failed)
    shown = daemon.json("show", "sales")
    last = [f"{n:06d}" for n in range(49_981, 50_000)] + ["last words"]
    assert [line["text"] for line in shown["output"]] == last
    assert {name: shown["last_exit"][name] for name in exit_} == exit_
    with daemon.client() as client:
        assert len(all_lines(client)) == 50_001


@pytest.mark.parametrize("runs", [20, pytest.param(1000, marks=pytest.mark.slow)])
async def test_promise_18_the_last_bytes_of_every_process_are_kept(
    tmp_path: Path, runs: int
) -> None:
    """A hundred kilobytes, more than a pipe holds, and then the end at once."""
    guardian = Guardian()
    children = Children(asyncio.get_running_loop(), guardian)
    logs = Logs(tmp_path / "logs")
    code = "import os; os.write(1, b'x' * 99_999 + b'\\nlast'); os.kill(os.getpid(), 9)"
    for run in range(runs):
        child = children.start(
            [sys.executable, "-I", "-S", "-c", code],
            variables={},
            directory=tmp_path,
            output=logs.output("sales", run),
        )
        await asyncio.wait_for(child.exited, DEADLINE)
        lines = [line for line in logs.lines(["sales"], 3) if line.generation == run]
        assert [len(line.text) for line in lines] == [65536, 99_999 - 65536, 4]
    children.close()
    guardian.close()
    logs.close()


# --- 19: a full disk ----------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Where the service keeps output: a file system of one megabyte."""
    folder = tmp_path / "state" / "logs"
    folder.mkdir(parents=True, mode=0o700)
    mounted = shutil.which("mount") is not None and os.geteuid() == 0
    if not mounted or mount("-t", "tmpfs", "-o", "size=1m,mode=700", "small", str(folder)):
        pytest.skip("a file system of one megabyte: only root may mount one")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def test_promise_19_a_full_disk_of_logs_holds_nobody_up_and_is_told(
    small_disk: Path, location: Location, service: Service
) -> None:
    with service.client() as client:
        location.flood(50_000)
        assert location.flooded() <= 1.0 * SLACK
        wait_for(lambda: printed(client, "00049999"))
        dropped = client.call("status")["daemon"]["dropped"]["sales"]
        assert dropped["why"] == "No space left on device"
        assert dropped["bytes"] > 5_000_000
        told = commands.run(["status"], environ=service.environ)
        assert "output not written to disk: " in told.stdout
        assert " of sales: No space left on device" in told.stdout

        assert mount("-o", "remount,size=64m", str(small_disk)) == 0
        location.flood(1000, first=50_000)
        wait_for(lambda: printed(client, "00050999"))
        assert client.call("status")["daemon"]["dropped"]["sales"] == dropped
        found = all_lines(client)
        assert [line["seq"] for line in found[-1000:]] == list(range(50_001, 51_001))
        assert [line["text"][:8] for line in found[-1000:]][::999] == ["00050000", "00050999"]
        file = (small_disk / "sales.log").read_bytes()
        assert file.count(b"\n") < 51_000
        assert all(line.split(b" ", 1)[0].isdigit() for line in file.splitlines())


# --- 24: events ---------------------------------------------------------------------------------


def test_promise_24_events_begin_with_a_snapshot_and_leave_nothing_out(
    dev: StartDev, project: Path
) -> None:
    Location(project)
    daemon = dev()
    daemon.until_serving("sales")
    follower = subprocess.Popen(
        [CODELOCD, "events", "-f", "--json", "--snapshot", "--wait", str(DEADLINE)],
        cwd=project,
        env=daemon.environ,
        stdout=subprocess.PIPE,
    )
    assert follower.stdout is not None
    try:
        snapshot = json.loads(follower.stdout.readline())
        assert (snapshot["event"], snapshot["after"]) == ("snapshot", "serving")
        daemon.cli("restart", "sales")
        daemon.stop(signal.SIGKILL)
        daemon = dev()
        daemon.until_serving("sales")
        last = daemon.status()["daemon"]["events"]
        heard: list[Any] = []
        while not heard or heard[-1]["seq"] < last:
            heard.append(json.loads(follower.stdout.readline()))
        assert [entry["seq"] for entry in heard] == list(range(snapshot["seq"] + 1, last + 1))
        past = [json.loads(line) for line in daemon.cli("events", "--json").stdout.splitlines()]
        assert [entry["seq"] for entry in past][-len(heard) :] == [e["seq"] for e in heard]
        assert past[0]["seq"] == 1
    finally:
        follower.kill()
        follower.communicate()


def test_promise_24_a_reader_that_sleeps_holds_nobody_up(dev: StartDev, project: Path) -> None:
    Location(project)
    daemon = dev()
    daemon.until_serving("sales")
    with daemon.client() as sleeper, daemon.client() as client:
        events = sleeper.subscribe(["status"])
        assert "full" in next(events)["data"]
        before = daemon.status()["daemon"]["events"]
        for _ in range(5):
            client.call("reload", {"locations": ["sales"]}, timeout=DEADLINE)
        last = daemon.status()["daemon"]["events"]
        seen = [before]
        while seen[-1] < last:
            news: Any = next(events)["data"]
            seen.append(news["event"]["seq"])
        assert seen == list(range(before, last + 1))
