"""No two processes serve one location: the one that does holds a lock that anybody can look at."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codelocd.client import RpcError
from codelocd.storage.paths import lock_holder
from tests.end_to_end.daemons import Dev, Entry, StartDev, native, serving, wait_for

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="who holds a lock is read from Linux's /proc/locks"
)

CONFIG = """
[location.sales]
python_file = "sales.py"
ping_interval = "200ms"
stop_timeout = "1s"
start_method = "{method}"
"""
HANGS = """
import ctypes, threading
threading.Timer(0.3, lambda: ctypes.PyDLL(None).sleep(3600)).start()
"""


def begin(dev: StartDev, project: Path, *, before: str = "", method: str = "spawn") -> Dev:
    (project / "codelocd.toml").write_text(CONFIG.format(method=method))
    (project / "sales.py").write_text(native("a0", before=before))
    return dev()


def lock_of(daemon: Dev) -> Path:
    return Path(daemon.json("show", "sales")["lock"])


def served_by(lock: Path, entry: Entry) -> None:
    wait_for(lambda: lock_holder(lock) == entry["pid"])


@contextmanager
def held_by_this_process(lock: Path) -> Iterator[None]:
    with lock.open("a") as file:
        wait_for(lambda: _take(file.fileno()))
        yield


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hangs(daemon: Dev) -> bool:
    with daemon.client() as client:
        try:
            client.call("call", {"location": "sales", "method": "ping", "timeout": 0.5})
        except RpcError as failure:
            return failure.kind == "timeout"
    return False


@pytest.mark.parametrize("method", ["spawn", "auto"])
def test_the_runner_that_serves_holds_the_lock_of_its_location(
    dev: StartDev, project: Path, method: str
) -> None:
    daemon = begin(dev, project, method=method)
    first = daemon.until("sales", serving)
    lock = lock_of(daemon)
    assert lock_holder(lock) == first["pid"], (
        "one that is not beside another takes it before it serves"
    )
    (project / "sales.py").write_text(native("a1"))
    second = daemon.until("sales", lambda each: serving(each) and each["pid"] != first["pid"])
    served_by(lock, second)
    os.kill(second["pid"], signal.SIGKILL)
    third = daemon.until("sales", lambda each: serving(each) and each["pid"] != second["pid"])
    assert lock_holder(lock) == third["pid"]
    assert daemon.cli("call", "sales", "describe").returncode == 0
    assert daemon.cli("stop", "sales").returncode == 0
    assert lock_holder(lock) is None


def test_a_location_that_another_process_serves_waits_until_that_ends(
    dev: StartDev, project: Path
) -> None:
    daemon = begin(dev, project)
    daemon.until("sales", serving)
    lock = lock_of(daemon)
    daemon.cli("stop", "sales")
    with held_by_this_process(lock):
        with daemon.client() as client:
            client.call("start", {"locations": ["sales"], "wait": False})
        problem = daemon.until("sales", lambda each: each["state"] == "backoff")["problem"]
        told = f"another process (pid {os.getpid()}) serves this location: it holds {lock}; end it"
        assert problem["summary"] == told
    assert daemon.until("sales", serving)["restarts"] == 0


def test_a_runner_that_has_lost_the_lock_to_another_process_serves_no_more(
    dev: StartDev, project: Path
) -> None:
    daemon = begin(dev, project)
    first = daemon.until("sales", serving)
    lock = lock_of(daemon)
    other = lock.with_name("other")
    other.touch()
    with held_by_this_process(other):
        other.replace(lock)
        waits = daemon.until("sales", lambda each: each["state"] == "backoff")
        assert waits["last_failure"]["summary"].startswith("another process (pid ")
    last = daemon.until("sales", lambda each: serving(each) and each["pid"] != first["pid"])
    assert lock_holder(lock) == last["pid"]


def test_one_that_hangs_as_it_is_replaced_is_ended_and_the_other_serves(
    dev: StartDev, project: Path
) -> None:
    daemon = begin(dev, project, before=HANGS)
    first = daemon.until("sales", serving)
    wait_for(lambda: _hangs(daemon))
    (project / "sales.py").write_text(native("a1"))
    last = daemon.until("sales", lambda each: serving(each) and each["pid"] != first["pid"])
    served_by(lock_of(daemon), last)
    assert daemon.cli("call", "sales", "describe").returncode == 0
