"""What 20 native locations that share one environment cost while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks import _projects
from benchmarks._daemon import folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks._tree import cpu, cpu_with_children, pss, shares, tree

LOCATIONS = 20
CALM = 5.0
"""Seconds between the last location's start and the first sample."""
STEP, STEPS = 6.0, 10
"""A value is about a whole minute, for what happens at intervals is to be in every one of them."""
MEGABYTES, PERCENT = 60.0, 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds on a core so far and MB of memory (PSS), of the daemon alone and of its tree."""

    at: float
    cpu: float
    tree_cpu: float
    memory: float
    tree_memory: float


def measure(runs: int) -> list[Figure]:
    """So many minutes, each beginning 6 s after the one before. Linux: reads /proc."""
    with folder() as home:
        project = _projects.write(home / "project", LOCATIONS)
        with running(project, home) as daemon:
            daemon.until_serving()
            time.sleep(CALM)
            samples = _samples(psutil.Process(daemon.process.pid), runs + STEPS)
    return [
        _memory("daemon alone", [sample.memory for sample in samples], MEGABYTES),
        _memory("whole tree", [sample.tree_memory for sample in samples]),
        _cpu("daemon alone", [(sample.at, sample.cpu) for sample in samples], PERCENT),
        _cpu("whole tree", [(sample.at, sample.tree_cpu) for sample in samples]),
    ]


def _memory(whose: str, megabytes: Sequence[float], target: float | None = None) -> Figure:
    return Figure(f"memory (PSS), the {whose}", "MB", tuple(megabytes), target)


def _cpu(whose: str, counts: Sequence[tuple[float, float]], target: float | None = None) -> Figure:
    """The share of a core in each minute, from pairs of a time and the seconds spent until then."""
    name = f"CPU, the {whose}, in {STEP * STEPS:g} seconds"
    return Figure(name, "%", shares(counts, STEPS), target)


def _samples(daemon: psutil.Process, count: int) -> list[Sample]:
    samples = [_sample(daemon)]
    for _ in range(count - 1):
        time.sleep(STEP)
        samples.append(_sample(daemon))
    return samples


def _sample(daemon: psutil.Process) -> Sample:
    processes = tree(daemon.pid)
    return Sample(
        at=time.monotonic(),
        cpu=cpu(daemon),
        tree_cpu=sum(map(cpu_with_children, processes)),
        memory=pss([daemon]),
        tree_memory=pss(processes),
    )


if __name__ == "__main__":
    alone(measure, __doc__)
