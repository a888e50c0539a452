"""Runners that an earlier daemon left, and locations that move to or from an engine."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance.engines import Loopback, Place, pid_of
from tests.end_to_end.daemons import Service, native, serving, wait_for

ALONE = """
import fcntl, os, pathlib
folder = pathlib.Path(os.environ["FOLDER"])
held = open(folder / "held", "a")
try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    (folder / "violated").touch()
"""
"""A location that notes that another process of it lives."""


MET = """
import os, pathlib, sys, threading, time
folder = pathlib.Path(os.environ["FOLDER"])

def hang(mark):
    while not mark.exists():
        time.sleep(0.01)
    sys.setswitchinterval(1000)
    mark.unlink()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        pass
    sys.setswitchinterval(0.005)

own, newest = folder / f"hang-{os.getpid()}", folder / "newest"
threading.Thread(target=hang, args=[own], daemon=True).start()
if newest.exists():
    former = pathlib.Path(newest.read_text())
    former.touch()
    end = time.monotonic() + 30
    while former.exists() and time.monotonic() < end:
        time.sleep(0.001)
newest.write_text(str(own))
"""
"""A location that hangs for a second when another runner of it has nearly loaded."""


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with tempfile.TemporaryDirectory(prefix="loop-", ignore_cleanup_errors=True) as folder:
        found = Loopback(Path(folder), "one")
        yield found
        found.close()


@pytest.fixture
def place(loopback: Loopback, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "project").mkdir()
    (tmp_path / "home").mkdir()
    found = Place(tmp_path / "project", tmp_path / "home", loopback.setting())
    yield found
    found.end()


def move(place: Place, *, here: bool) -> None:
    """Where the locations run by the config, from now on."""
    place.engine = replace(place.engine, location="" if here else 'engine = "other"')
    place.config("a")


def moved(place: Place, daemon: Service, *, here: bool) -> None:
    """The same, while the daemon runs; returns when it serves there."""
    move(place, here=here)
    with daemon.client() as client:
        client.call("apply")
    daemon.until("a", lambda its: serving(its) and (its["node"] is None) == here)


def test_what_is_left_is_adopted_when_the_cluster_is_in_reach_again(
    place: Place, loopback: Loopback
) -> None:
    place.write("a", native("orders"))
    place.config("a")
    place.start()
    before = place.until_listed("orders")
    place.kill()
    loopback.is_away(True)
    daemon = place.start()
    waiting = daemon.until("a", lambda its: its["state"] == "backoff")
    assert waiting["problem"]["summary"] == "waiting for the engine: the cluster is away"
    assert place.assets() == ["orders"]
    loopback.is_away(False)
    entry = place.until_listed("orders")
    assert (pid_of(entry), entry["node"]) == (pid_of(before), before["node"])
    assert (entry["generation"], entry["restarts"], entry["problem"]) == (1, 0, None)
    assert place.events("a").count("launched") == 1


@pytest.mark.parametrize("here", [True, False], ids=["to this machine", "to a node"])
def test_a_location_that_moved_while_no_daemon_ran_starts_when_the_former_has_ended(
    place: Place, loopback: Loopback, here: bool
) -> None:
    place.write("a", native("orders", before=ALONE))
    (loopback.folder / "slow").touch()
    move(place, here=not here)
    place.start()
    before = place.until_listed("orders")
    place.kill()
    move(place, here=here)
    place.start()
    entry = place.until_listed("orders")
    assert pid_of(entry) != pid_of(before)
    assert (entry["node"] is None) == here
    assert not (place.home / "violated").exists()


def test_what_may_still_run_on_a_node_out_of_reach_is_not_started_here(
    place: Place, loopback: Loopback
) -> None:
    place.write("a", native("orders", before=ALONE))
    place.config("a")
    place.start()
    place.until_listed("orders")
    place.kill()
    loopback.is_away(True)
    move(place, here=True)
    daemon = place.start()
    waiting = daemon.until("a", lambda its: its["state"] == "backoff")
    assert "it may still run on node one" in waiting["problem"]["summary"]
    loopback.is_away(False)
    assert place.until_listed("orders")["node"] is None
    assert not (place.home / "violated").exists()


class LockWatcher:
    """Looks at which of the lock files are held, all the time, by what the kernel lists."""

    def __init__(self, *paths: Path) -> None:
        self._marks = {f":{path.stat().st_ino} " for path in paths}
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> LockWatcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def held(self) -> int:
        lines = [each for each in Path("/proc/locks").read_text().splitlines() if "FLOCK" in each]
        return sum(any(mark in line for line in lines) for mark in self._marks)

    def _look(self) -> None:
        while not self._over.wait(0.001):
            self.most = max(self.most, self.held())


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="Linux lists locks in /proc/locks")
def test_a_location_that_moves_is_served_by_one_at_a_time(place: Place, loopback: Loopback) -> None:
    """The one before hangs for a second when it is to let go: the other waits for that."""
    place.write("a", native("orders", before=MET))
    place.config("a")
    daemon = place.start()
    place.until_listed("orders")
    moved(place, daemon, here=True)
    (there,) = loopback.folder.glob("node-*/locks/a.lock")
    here = place.home / "state" / "serving" / "a.lock"
    with LockWatcher(here, there) as watcher:
        for is_here in (False, True):
            wait_for(lambda: watcher.held() == 1)
            moved(place, daemon, here=is_here)
        wait_for(lambda: watcher.held() == 1)
    assert watcher.most == 1
