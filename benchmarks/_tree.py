"""What a process and all its descendants cost, as Linux counts it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import psutil


def tree(pid: int) -> list[psutil.Process]:
    """The process first."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def pss(processes: Iterable[psutil.Process]) -> float:
    """MB of memory; what several share is divided between them. Those that ended count nothing."""
    return sum(_pss(process) for process in processes) / 1e6


def cpu(process: psutil.Process) -> float:
    """Seconds on a core, of all its threads, those that have ended too, to the nanosecond.

    The clock of clock_getcpuclockid(3): a clock tick is too coarse for what is measured here.
    """
    return time.clock_gettime((~process.pid << 3) | 2)


def cpu_with_children(process: psutil.Process) -> float:
    """The same, with the children that it has waited for."""
    times = process.cpu_times()
    return cpu(process) + times.children_user + times.children_system


def shares(counts: Sequence[tuple[float, float]], steps: int) -> tuple[float, ...]:
    """Percent of a core in each stretch of so many steps, from pairs of a time and the seconds
    on a core until then.
    """
    stretches = zip(counts, counts[steps:], strict=False)
    return tuple(
        100 * (after - before) / (end - begin) for (begin, before), (end, after) in stretches
    )


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
