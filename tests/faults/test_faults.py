"""A fault of every kind, each at some moment of some location: what must hold is looked at from
outside. `make soak` does so for 150 s under `dev` and for 250 s under `serve`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults import schedule
from tests.faults.__main__ import Report, drive, place
from tests.faults.kinds import KINDS
from tests.faults.locks import Locks
from tests.faults.processes import is_of_a_run, kill_unless_of_a_run
from tests.faults.runs import RunLoad

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what processes there are is read from Linux's /proc"
)


def tried(
    seed: int,
    faults: int,
    seconds: float | None = None,
    *,
    serve: bool,
    kinds: Collection[str] = KINDS,
) -> Report:
    report = Report()
    end = None if seconds is None else time.monotonic() + seconds
    with place() as (home, report.missing):
        steps = schedule.made(seed, faults, [each for each in kinds if each not in report.missing])
        drive(home, steps, report, lambda: end is None or time.monotonic() < end, serve=serve)
    print("\n".join(report.lines()))
    return report


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_must_hold_holds_after_a_fault_of_every_kind() -> None:
    report = tried(seed=1, faults=len(KINDS), serve=True)
    assert report.violations == []
    assert report.lost == []
    assert set(report.recovered) | set(report.missing) == set(KINDS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed", "serve"), [(2, False), (3, True)])
def test_what_must_hold_holds_after_minutes_of_faults(seed: int, serve: bool) -> None:
    seconds = float(os.environ.get("SOAK_SECONDS", "120"))
    report = tried(seed, 100_000, seconds, serve=serve)
    assert report.violations == []
    assert report.lost == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_promise_3_two_hundred_daemons_are_killed_and_nothing_runs_twice_or_again() -> None:
    """At every moment in the life of a location; all others go on as they are, and no line is
    lost."""
    report = tried(seed=4, faults=200, serve=True, kinds=["daemon killed"])
    assert report.violations == []
    assert report.lost == []
    assert report.faults == 200


def test_runs_go_on_while_runners_and_a_daemon_are_killed() -> None:
    report = tried(seed=5, faults=3, serve=True, kinds=["runner killed", "daemon killed"])
    assert report.violations == []
    assert report.lost == []


BEGUN = ["begin t1 7 1 0 0", "end t1 7 1", "begin t2 8 1 0 0"]


@pytest.mark.parametrize(
    ("effects", "changes", "seen"),
    [
        (BEGUN, {}, []),
        ([*BEGUN, "end t1 7 1"], {}, ["done twice"]),
        ([*BEGUN, "overlap t1 7 1"], {}, ["two of a limit of one"]),
        (BEGUN, {"state": "running"}, ["is running"]),
        (BEGUN, {"state": "lost"}, ["has done all, and is lost"]),
        (BEGUN[:1], {}, ["succeeded without effect"]),
        (BEGUN[:1], {"state": "lost"}, ["is lost, and nothing was done to it"]),
        (BEGUN[:1], {"state": "cancelled", "why": "shutdown"}, []),
        (BEGUN, {"uuid": "another"}, ["in no book"]),
        (BEGUN, {"id": 9, "params": {"token": "sensor-a-1"}}, ["without effect", "sensor's runs"]),
    ],
)
def test_what_must_not_be_of_runs_is_seen(
    tmp_path: Path, effects: list[str], changes: dict[str, Any], seen: list[str]
) -> None:
    (tmp_path / "effects").write_text("".join(f"{line}\n" for line in effects))
    load = RunLoad(tmp_path, lambda method, params: None)
    load.accepted["t1"] = "one"
    run = {
        "id": 7, "uuid": "one", "location": "r0", "state": "succeeded", "why": None,
        "summary": None, "attempts": [{"number": 1, "pid": 5}], "params": {"token": "t1"},
        "by": {"kind": "client"},
    }  # fmt: skip
    found = load.judge([{**run, **changes}])
    assert len(found) == len(seen)
    assert all(sign in each for sign, each in zip(seen, found, strict=True))
    if not (seen or changes):
        assert load.judge([run, {**run, "uuid": "two"}])[0].startswith("recorded twice")


def test_what_has_become_an_attempt_since_it_was_chosen_is_not_killed(tmp_path: Path) -> None:
    lock = tmp_path / "runs" / "7" / "lock.1"
    lock.parent.mkdir(parents=True)
    later = [sys.executable, "-c", f"import sys; sys.stdin.readline()\n{LOCKS}", str(lock)]
    with ExitStack() as stack:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        warm = stack.enter_context(subprocess.Popen(["cat"], **pipes))
        attempt = stack.enter_context(subprocess.Popen(later, **pipes))
        assert not is_of_a_run(attempt.pid)
        assert attempt.stdin is not None and attempt.stdout is not None  # noqa: PT018
        attempt.stdin.write(b"\n")
        attempt.stdin.flush()
        assert attempt.stdout.readline() == b"\n"
        assert kill_unless_of_a_run([warm.pid, attempt.pid]) == [warm.pid]
        attempt.communicate(timeout=60)
    assert (warm.returncode, attempt.returncode) == (-signal.SIGKILL, 0)


LOCKS = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_two_processes_that_hold_the_lock_of_one_location_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "codelocd/daemons/user/serving/s0.lock"
    file.parent.mkdir(parents=True)
    command, pipe = [sys.executable, "-c", LOCKS, str(file)], subprocess.PIPE
    with ExitStack() as stack:
        running: list[subprocess.Popen[bytes]] = []
        locks = Locks(tmp_path, lambda name: {each.pid for each in running if name == "s0"})
        stack.callback(locks.close)
        for _ in range(2):
            process = stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe))
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            running.append(process)
            held = locks.holders("s0")
            assert held == {each.pid for each in running}
            file.unlink()
        end = time.monotonic() + 60
        while not locks.violations:
            assert time.monotonic() < end
            time.sleep(0.01)
    pids = sorted(each.pid for each in running)
    assert locks.violations[0] == f"s0 is served by {pids} at once"


def test_a_schedule_is_made_from_its_seed_and_read_back_as_it_was(tmp_path: Path) -> None:
    steps = schedule.made(7, 200, list(KINDS))
    assert steps == schedule.made(7, 200, list(KINDS)) != schedule.made(8, 200, list(KINDS))
    assert {step.kind for step in steps[: len(KINDS)]} == set(KINDS)
    assert {step.when for step in steps} == set(schedule.MOMENTS)
    schedule.write(tmp_path / "steps", 7, steps)
    assert schedule.read(tmp_path / "steps") == steps
