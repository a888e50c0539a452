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
    return [
        _memory("daemon alone", [sample.memory for sample in samples], MEGABYTES),
        _memory("whole tree", [sample.tree_memory for sample in samples]),
        _cpu("daemon alone", [(sample.at, sample.cpu) for sample in samples], PERCENT),
        _cpu("whole tree", [(sample.at, sample.tree_cpu) for sample in samples]),
    ]


def _memory(whose: str, sizes: Sequence[int], target: float | None = None) -> Figure:
    megabytes = tuple(size / 1e6 for size in sizes)
    return Figure(f"memory (PSS), the {whose}, {LOCATIONS} locations", "MB", megabytes, target)


def _cpu(whose: str, counts: Sequence[tuple[float, float]], target: float | None = None) -> Figure:
    """The share of a core in each minute, from pairs of a time and the seconds spent until then."""
    minutes = zip(counts, counts[STEPS:], strict=False)
    percent = tuple(
        100 * (after - before) / (end - begin) for (begin, before), (end, after) in minutes
    )
    name = f"CPU, the {whose}, {STEP * STEPS:g} idle seconds, {LOCATIONS} locations"
    return Figure(name, "%", percent, target)


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
        cpu=_seconds(daemon),
        tree_cpu=sum(_seconds(process) + _seconds_of_the_dead(process) for process in tree),
        memory=_pss([daemon]),
        tree_memory=_pss(tree),
    )


def _pss(processes: Sequence[psutil.Process]) -> int:
    return sum(process.memory_full_info().pss for process in processes)


def _seconds(process: psutil.Process) -> float:
    """On a core, of all its threads, those that have ended too, to the nanosecond.

    The clock of clock_getcpuclockid(3): a clock tick is too coarse for what is measured here.
    """
    return time.clock_gettime((~process.pid << 3) | 2)


def _seconds_of_the_dead(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    alone(measure, __doc__)
