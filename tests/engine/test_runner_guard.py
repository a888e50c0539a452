"""The guard of a runner on a node ends it when its host cannot any more. Needs no Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from codeloc_ray.node.guard import RunnerGuard
from codeloc_ray.node.lease import HeadLease, now
from tests.end_to_end.daemons import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nodes are Linux machines")

LONG = 600.0
GROUP = ["sh", "-c", "sleep 1000 & wait"]
HOST = """
import subprocess, sys, time
from codeloc_ray.node.guard import RunnerGuard
from codeloc_ray.node.lease import now
runner = subprocess.Popen(["sh", "-c", "sleep 1000 & wait"], start_new_session=True)
guard = RunnerGuard(runner.pid)
guard.renewed(now() + float(sys.argv[1]))
print(runner.pid, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group of two."""
    with subprocess.Popen(GROUP, start_new_session=True) as process:
        wait_for(lambda: psutil.Process(process.pid).children())
        yield process
        process.kill()


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(each) and is_running(each) for each in pids)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def group(pid: int) -> list[int]:
    return [pid, *(each.pid for each in psutil.Process(pid).children())]


def test_a_lease_that_ends_ends_the_whole_group(runner: subprocess.Popen[bytes]) -> None:
    pids, guard = group(runner.pid), RunnerGuard(runner.pid)
    guard.renewed(now() + LONG)
    assert runner.poll() is None
    guard.renewed(now() + 0.05)
    assert runner.wait(10) == -signal.SIGKILL
    wait_for(lambda: gone(pids))
    guard.over()


def test_a_guard_that_was_killed_is_replaced(runner: subprocess.Popen[bytes]) -> None:
    guard = RunnerGuard(runner.pid)
    (process,) = [each for each in psutil.Process().children() if "guard_process" in words(each)]
    process.kill()
    wait_for(lambda: process.status() == psutil.STATUS_ZOMBIE)
    guard.renewed(now() + 0.05)
    assert runner.wait(10) == -signal.SIGKILL
    guard.over()


def words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # what another test has left to be reaped
        return ""


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_host_that_is_stopped_or_killed_takes_its_runner_with_it(number: signal.Signals) -> None:
    lease = "0.3" if number is signal.SIGSTOP else str(LONG)
    with subprocess.Popen([sys.executable, "-c", HOST, lease], stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        host.send_signal(number)
        wait_for(lambda: not is_running(pid))
        host.kill()


def test_a_lease_that_another_removed_has_fallen() -> None:
    """As that of a virtual machine whose clock stood still."""
    puts = 0

    def put(_count: bytes) -> bool:
        nonlocal puts
        puts += 1
        return puts not in (1, 3)

    pid = os.fork()
    if not pid:
        HeadLease(put, 1.0, lambda: os._exit(7 if puts == 3 else 8), print).begin()
        time.sleep(30)
        os._exit(9)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 7
