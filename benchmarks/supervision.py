"""50 native locations: start, rest, status of a daemon that is stopped, stop; beside others."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, Daemon, first, folder, replaced, running, started
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks._supervisors import Supervisor, circusd, supervisord

LOCATIONS = 50
MOST_RUNS = 3
"""A run takes half a minute."""
CALM, REST = 5.0, 20.0
"""Seconds between the last start and the first look, and between two looks at what woke it."""
ANSWER = 2000.0
"""Milliseconds for `status` to answer without a daemon."""

HEARTBEATS = 3.0

Other = Callable[[Path, int], AbstractContextManager[Supervisor]]


def measure(runs: int) -> list[Figure]:
    """In turns. A location serves once its definitions have loaded; a program of the others has
    started, and loads nothing. Stopped means that the supervisor has ended, and all of them.
    """
    rounds = [_ours() for _ in range(min(runs, MOST_RUNS))]
    theirs = [_theirs(supervisord) for _ in rounds]
    circus = [_theirs(circusd) for _ in rounds]
    firsts, lasts, wakes, answers, stops = zip(*rounds, strict=True)
    last = Figure("start → the 50th serves", "ms", lasts)
    stop = Figure("SIGTERM → all 50 gone", "ms", stops)
    last_theirs = Figure("supervisord: start → the 50th started", "ms", _each(theirs, 1))
    stop_theirs = Figure("supervisord: SIGTERM → all 50 gone", "ms", _each(theirs, 2))
    hangs = tuple(_replaced() for _ in rounds)
    return [
        Figure("SIGSTOP of a runner → another serves, in heartbeats", "times", hangs, HEARTBEATS),
        Figure("start → the first serves", "ms", firsts),
        Figure("supervisord: start → the first started", "ms", _each(theirs, 0)),
        Figure("circusd: start → the first started", "ms", _each(circus, 0)),
        last,
        last_theirs,
        Figure("circusd: start → the 50th started", "ms", _each(circus, 1)),
        ratio("start of 50, against supervisord", last, last_theirs),
        Figure("wake-ups of the daemon at rest, heartbeats included", "1/s", wakes),
        Figure("codelocd status of a stopped daemon", "ms", answers, ANSWER),
        stop,
        stop_theirs,
        Figure("circusd: SIGTERM → all 50 gone", "ms", _each(circus, 2)),
        ratio("stop of 50, against supervisord", stop, stop_theirs),
    ]


def _each(rounds: list[tuple[float, ...]], column: int) -> tuple[float, ...]:
    return tuple(each[column] for each in rounds)


def _ours() -> tuple[float, ...]:
    """First and last start, wake-ups in a second, an answer without the daemon, the stop."""
    with folder() as home:
        project = _projects.write(home / "project", LOCATIONS)
        started(project, home)  # builds the environment, which is there from then on
        began = time.monotonic()
        with running(project, home) as daemon:
            one = _until_one_serves(daemon, began)
            daemon.until_serving()
            last = _milliseconds(began)
            time.sleep(CALM)
            before = _wake_ups(daemon.process.pid)
            time.sleep(REST)
            woken = (_wake_ups(daemon.process.pid) - before) / REST
            answer = _unanswered(daemon)
            began = time.monotonic()
            daemon.stop()
            return one, last, woken, answer, _milliseconds(began)


def _until_one_serves(daemon: Daemon, began: float) -> float:
    with daemon.client() as client:
        for event in client.subscribe(["status"]):
            if event["topic"] == "status":
                data = event["data"]
                entries = data["locations"] if "full" in data else [data["location"]]
                if any(entry and entry["state"] == "serving" for entry in entries):
                    break
    return _milliseconds(began)


def _unanswered(daemon: Daemon) -> float:
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        subprocess.run(
            [CODELOCD, "status"],
            cwd=daemon.project,
            env=daemon.environ,
            capture_output=True,
            check=False,
        )
        return _milliseconds(began)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


def _replaced() -> float:
    """Heartbeats of one second, each with as long for its answer, from the stop of a runner on."""
    with folder() as home:
        project = _projects.write(home / "project", 1)
        config = project / "codelocd.toml"
        config.write_text(f'{config.read_text()}ping_interval = "1s"\nping_timeout = "1s"\n')
        with running(project, home) as daemon:
            daemon.until_serving()
            victim = daemon.status()["locations"][0]["pid"]
            assert victim is not None
            with daemon.client() as client:
                events = iter(client.subscribe(["status"]))
                os.kill(victim, signal.SIGSTOP)
                began = time.monotonic()
                serving = first(events, lambda data: replaced(data.get("location"), victim))
    return serving - began


def _theirs(other: Other) -> tuple[float, ...]:
    with folder() as home:
        began = time.monotonic()
        with other(home, LOCATIONS) as supervisor:
            supervisor.pid()
            one = _milliseconds(began)
            for _ in range(LOCATIONS - 1):
                supervisor.pid()
            last = _milliseconds(began)
            time.sleep(CALM)
            began = time.monotonic()
        return one, last, _milliseconds(began)


def _wake_ups(pid: int) -> int:
    """How often a thread of the process gave up the processor to wait (proc_pid_status(5))."""
    lines = [
        line
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))


def _milliseconds(began: float) -> float:
    return 1000 * (time.monotonic() - began)


if __name__ == "__main__":
    alone(measure, __doc__, default=MOST_RUNS)
