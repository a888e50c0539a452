"""What the daemon costs while nothing happens: 20 locations that share one environment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks import _projects
from benchmarks._daemon import folder, running
from benchmarks._measure import Figure, alone

LOCATIONS = 20
CALM = 5.0
"""Seconds between the last location's start and the first sample."""
STEP, STEPS = 6.0, 10
"""A value is about a whole minute, for what happens at intervals is to be in every one of them."""
MEGABYTES, PERCENT = 60.0, 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds on a core so far and bytes of memory (PSS), of the daemon alone and of its tree."""

    at: float
    cpu: float
    tree_cpu: float
    memory: int
    tree_memory: int


def measure(runs: int) -> list[Figure]:
    """So many minutes, each beginning 6 s after the one before. Linux: reads /proc."""
    with folder() as home:
        project = _projects.write(home / "project", LOCATIONS)
        with running(project, home) as daemon:
            daemon.until_serving()
            time.sleep(CALM)
            samples = _samples(psutil.Process(daemon.process.pid), runs + STEPS)
    minutes = list(zip(samples, samples[STEPS:], strict=False))
    idle = f"{STEP * STEPS:g} idle seconds, {LOCATIONS} locations"
    return [
        Figure(
            "memory (PSS), the daemon alone",
            "MB",
            _megabytes([s.memory for s in samples]),
            MEGABYTES,
        ),
        Figure("memory (PSS), the whole tree", "MB", _megabytes([s.tree_memory for s in samples])),
        Figure(
            f"CPU, the daemon alone, {idle}",
            "%",
            tuple(100 * (b.cpu - a.cpu) / (b.at - a.at) for a, b in minutes),
            PERCENT,
        ),
        Figure(
            f"CPU, the whole tree, {idle}",
            "%",
            tuple(100 * (b.tree_cpu - a.tree_cpu) / (b.at - a.at) for a, b in minutes),
        ),
    ]


def _samples(daemon: psutil.Process, count: int) -> list[Sample]:
    samples = [_sample(daemon)]
    for _ in range(count - 1):
        time.sleep(STEP)
        samples.append(_sample(daemon))
    return samples


def _sample(daemon: psutil.Process) -> Sample:
    tree = [daemon, *daemon.children(recursive=True)]
    return Sample(
        at=time.monotonic(),
        cpu=_cpu(daemon),
        tree_cpu=sum(_cpu(process) + _cpu_of_the_dead(process) for process in tree),
        memory=_memory([daemon]),
        tree_memory=_memory(tree),
    )


def _memory(processes: Sequence[psutil.Process]) -> int:
    return sum(process.memory_full_info().pss for process in processes)


def _cpu(process: psutil.Process) -> float:
    """Of all its threads, those that have ended too, to the nanosecond.

    The clock of clock_getcpuclockid(3): a clock tick is too coarse for what is measured here.
    """
    return time.clock_gettime((~process.pid << 3) | 2)


def _cpu_of_the_dead(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.children_user + times.children_system


def _megabytes(sizes: Sequence[int]) -> tuple[float, ...]:
    return tuple(size / 1e6 for size in sizes)


if __name__ == "__main__":
    alone(measure, __doc__)
