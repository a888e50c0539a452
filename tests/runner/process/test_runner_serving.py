"""Of the runners of a location one holds its lock: the one that serves it."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from codelocd.storage.paths import lock_holder
from tests.runner.process.conftest import DEADLINE_SECONDS
from tests.runner.process.failure import Failure

GOOD = """
from codeloc import Definitions, asset

@asset
def orders(): ...

defs = Definitions(assets=[orders])
"""
FORKS = """
import os, sys, time
child = os.fork()
if not child:
    os.setsid()
    time.sleep(3600)
print(child, flush=True)
"""
CLOSES = """
import os, threading
def close():
    threading.Event().wait(0.5)
    os.closerange(3, 1000)
    print("closed", flush=True)
threading.Thread(target=close).start()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "sales.lock"


def is_free(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def until(happened) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_runner_that_serves_holds_the_lock_and_no_other_takes_it(run, extreme, lock):
    first, second = (run(extreme, GOOD, name=f"{n}.py", lock=lock) for n in ("one", "two"))
    assert first.assets() == second.assets() == ["orders"]
    assert not lock.exists(), "one that has only loaded does not serve"
    assert first.call("serve") == {"serves": True}
    if sys.platform == "linux":
        assert lock_holder(lock) == first.process.pid
    assert second.call("serve") == {"serves": False}
    assert first.call("ping") == {}
    assert second.call("ping") == {"serves": False}
    connection = second.connect()
    waiting = connection.send("describe")  # it waits until that runner serves
    assert first.call("describe")["pid"] == first.process.pid
    assert first.call("hand_over") == {}
    assert second.call("serve") == {"serves": True}
    assert connection.answer(waiting)["pid"] == second.process.pid
    assert first.call("serve") == {"serves": False}, "another serves from now on"
    assert first.call("describe")["pid"] == first.process.pid, "what it had accepted is answered"
    assert second.stop() == 0
    assert is_free(lock)


def test_the_lock_ends_with_its_runner_whatever_that_has_forked(run, extreme, lock):
    runner = run(extreme, FORKS + GOOD, lock=lock)
    runner.load()
    assert runner.call("serve") == {"serves": True}
    child = int(runner.until(lambda: runner.output["stdout"].split()[0]))
    try:
        assert not is_free(lock)
        os.kill(runner.process.pid, signal.SIGKILL)
        until(lambda: is_free(lock))
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_heartbeat_takes_it_again_that_user_code_closed_or_somebody_removed(run, extreme, lock):
    runner = run(extreme, CLOSES + GOOD, lock=lock)
    runner.load()
    assert runner.call("serve") == {"serves": True}
    runner.until(lambda: b"closed" in runner.output["stdout"])
    assert is_free(lock)
    assert runner.call("ping") == {}
    assert not is_free(lock)
    lock.unlink()
    lock.parent.rmdir()
    assert runner.call("ping") == {}
    assert not is_free(lock)


def test_one_that_has_lost_it_to_another_says_so_and_refuses_to_serve(run, extreme, lock):
    runner = run(extreme, GOOD, lock=lock)
    runner.load()
    assert runner.call("serve") == {"serves": True}
    lock.unlink()
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert runner.call("ping") == {"serves": False}
        with pytest.raises(Failure, match="another process holds"):
            runner.call("describe")
    assert runner.call("ping") == {}
    assert runner.call("describe")["pid"] == runner.process.pid


def test_a_file_that_cannot_be_opened_keeps_no_runner_from_serving(run, extreme, lock):
    lock.parent.write_text("no folder")
    runner = run(extreme, GOOD, lock=lock)
    runner.load()
    assert runner.call("serve") == {"serves": True}
    assert runner.call("describe")["pid"] == runner.process.pid
    lock.parent.unlink()
    assert runner.call("ping") == {}
    assert not is_free(lock), "it is tried again at each heartbeat"
