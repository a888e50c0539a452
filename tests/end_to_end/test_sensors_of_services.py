"""A service dies or ends while it asks a sensor: the evaluation ends with it, and is repeated."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.daemons import Service, wait_for
from tests.end_to_end.test_adoption import Place

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has a holder, which could keep an evaluation"
)
CODE = """
import os, pathlib, subprocess, time
from codeloc import Definitions, Run, job, sensor

PLACE = pathlib.Path(__file__).parent

@job
def refresh(): ...

@sensor(job=refresh, minimum_interval=1)
def waits(context):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    (PLACE / "pids.new").write_text(f"{os.getpid()} {child.pid}")
    (PLACE / "pids.new").rename(PLACE / "pids")
    while not (PLACE / "go").exists():
        time.sleep(0.01)
    child.kill()
    context.cursor = (context.cursor or 0) + 1
    return Run(key=str(context.cursor))

defs = Definitions(jobs=[refresh], sensors=[waits])
"""


@pytest.fixture
def place(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_TEST_HOME", str(tmp_path))
    place = Place(project, tmp_path)
    place.config("one")
    place.write("one", CODE)
    yield place
    place.end()


def asked(place: Place) -> list[int]:
    """The process of the evaluation, and its child, which is in a session of its own."""
    file = place.project / "pids"
    wait_for(file.exists)
    pids = [int(pid) for pid in file.read_text().split()]
    file.unlink()
    return pids


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def cursor(daemon: Service) -> object:
    with daemon.client() as client:
        (found,) = client.call("schedules")["schedules"]
    return found["cursor"]


def test_what_a_killed_daemon_was_asking_ends_and_is_asked_again(place: Place) -> None:
    place.start()
    pids = asked(place)
    place.kill()
    wait_for(lambda: all(map(is_gone, pids)))
    daemon = place.start()
    again = asked(place)
    assert not set(again) & set(pids)
    assert cursor(daemon) is None
    (place.project / "go").touch()
    wait_for(lambda: cursor(daemon))
    with daemon.client() as client:
        keys = [run["key"] for run in client.call("runs")["runs"]]
    assert "sensor __repository__/waits: 1" in keys


def test_what_is_being_asked_does_not_hold_up_the_end_of_the_service(place: Place) -> None:
    daemon = place.start()
    pids = asked(place)
    assert daemon.stop() == 0
    wait_for(lambda: all(map(is_gone, pids)))
