"""200 native locations on one machine: start, memory, idle CPU, reload and status."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, Daemon, folder, running, saved, started
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks._tree import cpu_with_children, pss, shares, tree

LOCATIONS = 200
STARTS = 3
"""Starts that are measured."""
CALM, WATCHED, STEPS = 10.0, 10.0, 6
"""Seconds before the first sample, and between two; so many of them make a minute."""
RELOADS = 5
"""Reloads for each run: one takes some 15 ms, and a tenth of that is to be told apart."""
MEGABYTES, PERCENT, MILLISECONDS, SHARE = 8.0, 0.5, 100.0, 1.1


def measure(runs: int) -> list[Figure]:
    """All in one environment. Memory is that of the whole tree, divided by the locations. A
    reload of one of them is measured in turns with the reload of a location that has a daemon
    for itself, and each goes first as often as the other.
    """
    with folder() as home, ExitStack() as stack:
        many = _projects.write(home / "many", LOCATIONS)
        (home / "many-home").mkdir()
        starts = [started(many, home / "many-home") for _ in range(STARTS)]
        crowd = stack.enter_context(running(many, home / "many-home"))
        crowd.until_serving()
        memory, idle = _at_rest(crowd.process.pid)
        statuses = tuple(_status(crowd) for _ in range(runs))
        (home / "one-home").mkdir()
        lone = stack.enter_context(running(_projects.write(home / "one", 1), home / "one-home"))
        lone.until_serving()
        pairs = _reloads(crowd, lone, RELOADS * runs)
    within, by_itself = zip(*pairs, strict=True)
    reload = Figure("save of one → new definitions", "ms", within)
    other = Figure("… of a location that is alone", "ms", by_itself)
    return [
        Figure("start → all serving", "s", tuple(starts)),
        Figure("memory (PSS) of everything, per location", "MB", memory, MEGABYTES),
        Figure("CPU of everything, in a minute at rest", "%", idle, PERCENT),
        Figure("codelocd status, the whole process", "ms", statuses, MILLISECONDS),
        reload,
        other,
        ratio("among all, against alone", reload, other, SHARE),
    ]


def _at_rest(pid: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """MB per location; percent of a core, in each of the minutes that begin with a sample."""
    time.sleep(CALM)
    samples = [_sample(pid)]
    for _ in range(2 * STEPS):
        time.sleep(WATCHED)
        samples.append(_sample(pid))
    memory = tuple(megabytes / LOCATIONS for _, _, megabytes in samples)
    counts = [(at, spent) for at, spent, _ in samples]
    return memory, shares(counts, STEPS)


def _sample(pid: int) -> tuple[float, float, float]:
    """The time, seconds on a core so far, MB."""
    processes: Sequence[psutil.Process] = tree(pid)
    return time.monotonic(), sum(map(cpu_with_children, processes)), pss(processes)


def _status(daemon: Daemon) -> float:
    began = time.monotonic()
    subprocess.run(
        [CODELOCD, "status"],
        cwd=daemon.project,
        env=daemon.environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return 1000 * (time.monotonic() - began)


def _reloads(crowd: Daemon, lone: Daemon, runs: int) -> list[tuple[float, float]]:
    with crowd.client() as first, lone.client() as second:
        sides = [
            (daemon.project / "location_0.py", iter(client.subscribe(["definitions"])))
            for daemon, client in ((crowd, first), (lone, second))
        ]
        rounds = [_round(sides[:: (-1) ** run], f"new_{run}") for run in range(runs + 1)]
    return [(taken[crowd.project], taken[lone.project]) for taken in rounds[1:]]


def _round(sides: Sequence[tuple[Path, Iterator[Any]]], newest: str) -> dict[Path, float]:
    """Milliseconds by project; the sides are files and who hears of them, in their order."""
    text = _projects.source(newest)
    return {file.parent: saved(file, text, newest, events) for file, events in sides}


if __name__ == "__main__":
    alone(measure, __doc__)
