"""The daemon dies under Dagster's own processes and the runs in progress; all of it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.end_to_end.daemons import CODELOCD, Service

JOBS = """
import time
from pathlib import Path
import dagster as dg

@dg.op
def until_told(context):
    while not Path({signal!r}).exists():
        print("at work", flush=True)
        time.sleep(0.05)

@dg.job
def long():
    until_told()

@dg.asset
def {asset}(): ...

defs = dg.Definitions(assets=[{asset}], jobs=[long])
"""

TABLES = """
[daemon]
log_format = "json"
orphan_timeout = "{timeout}"
[dagster]
serve = true
port = {port}
"""

DEADLINE = 120.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Place:
    """A service's project; each daemon that starts here has the same state and the same page."""

    def __init__(self, folder: Path, home: Path, port: int, page_of: Callable[..., Any]) -> None:
        self.folder, self.home = folder, home
        self.told = home / "told"
        self._port, self._page_of = port, page_of
        self.page: Any = None

    def config(self, timeout: str = "10min") -> None:
        config = self.folder / "codelocd.toml"
        text = config.read_text()
        at = text.index("\n[location.")
        config.write_text(TABLES.format(timeout=timeout, port=self._port) + text[at:])

    def write(self, asset: str) -> None:
        source = JOBS.format(signal=str(self.told), asset=asset)
        (self.folder / "shop.py").write_text(source)

    def start(self) -> Any:
        """Another daemon; its page, which shows the location."""
        (self.home / "notify").unlink(missing_ok=True)
        self.page = self._page_of(Service(self.folder, self.home), self._port)
        self.page.dev.told(b"READY=1")
        self.page.until(lambda: self.page.loaded() == {"shop"})
        return self.page

    def kill(self) -> None:
        """The daemon, and nothing else."""
        daemon = self.page.dev
        daemon.process.kill()
        daemon.process.communicate()
        daemon.manager.close()

    def left(self) -> set[int]:
        """All that a daemon of this place has started, by what it was told."""
        found = set()
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("CODELOCD_TEST_PLACE") == str(self.home)
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.add(process.pid)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found - {self.page.dev.process.pid}

    def nobody_left(self) -> None:
        end = time.monotonic() + DEADLINE
        while left := self.left():
            assert time.monotonic() < end, [psutil.Process(pid).cmdline() for pid in left]
            time.sleep(0.05)


@pytest.fixture
def place(project, declare, page_of, unused_port, tmp_path, monkeypatch) -> Iterator[Place]:
    monkeypatch.setenv("CODELOCD_TEST_PLACE", str(tmp_path))
    declare(shop="newest")
    place = Place(project, tmp_path, unused_port(), page_of)
    place.config()
    place.write("one")
    yield place
    if place.page.dev.process.poll() is None:
        place.page.dev.stop()
    for pid in place.left():
        os.kill(pid, signal.SIGKILL)


def pids(page: Any) -> dict[str, int]:
    """Of the runner, its code server, Dagster's webserver and daemon."""
    status = page.dev.status()
    about = status["daemon"]["dagster"]
    (shop,) = status["locations"]
    return {"runner": shop["pid"], "server": about["servers"]["shop"], **about["pids"]}


def started(page: Any) -> str:
    run: str = page.launch("shop", "long")
    page.until(lambda: page.status(run) == "STARTED")
    return run


def test_runs_and_all_of_dagsters_processes_outlive_the_daemon_and_an_upgrade(place):
    page = place.start()
    run, before = started(page), pids(page)
    assert len(before) == 4
    place.kill()
    page = place.start()
    assert pids(page) == before
    assert page.status(run) == "STARTED"
    command: list[str | Path] = [CODELOCD, "upgrade"]
    done = subprocess.run(command, env=page.dev.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page.dev.told(b"READY=1")
    assert pids(page) == before
    assert page.status(run) == "STARTED"

    place.kill()  # what dies while no daemon runs is started again
    for name in ("server", "dagster-webserver"):
        os.kill(before[name], signal.SIGKILL)
    page = place.start()
    after = page.until(lambda: len(found := pids(page)) == 4 and found)
    assert (after["runner"], after["dagster-daemon"]) == (
        before["runner"],
        before["dagster-daemon"],
    )
    assert after["server"] != before["server"]
    assert page.dev.stop() == 0
    assert place.left() == set()


def test_a_server_whose_code_changed_meanwhile_leaves_when_its_run_is_done(place):
    page = place.start()
    run, before = started(page), pids(page)
    place.kill()
    place.write("two")
    page = place.start()
    page.until(lambda: page.assets() == {"two"})
    after = pids(page)
    assert after["server"] != before["server"]
    assert after["dagster-webserver"] == before["dagster-webserver"]
    place.kill()
    page = place.start()
    assert pids(page) == after
    assert page.status(run) == "STARTED"
    assert psutil.pid_exists(before["server"])
    place.told.touch()
    page.until(lambda: page.status(run) == "SUCCESS")
    page.until(lambda: before["server"] not in place.left())


def test_nothing_outlives_the_orphan_timeout(place):
    place.config(timeout="1s")
    page = place.start()
    started(page)
    place.kill()
    place.nobody_left()
