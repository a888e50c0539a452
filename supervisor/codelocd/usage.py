"""Memory and CPU of runners: sampled when asked for, at most every few seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

INTERVAL = 10.0
"""Seconds for which a sample is good enough."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory`: bytes of PSS of the process and its descendants (RSS where there is no PSS);
    `cpu`: fraction of one core since the sample before."""

    memory: int
    cpu: float | None


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu_seconds: float
    usage: Usage


class Sampler:
    """Remembers the last sample of each process."""

    def __init__(self) -> None:
        self._samples: dict[int, _Sample] = {}

    def usage(self, pid: int) -> Usage | None:
        """None when the process is gone."""
        former = self._samples.get(pid)
        now = time.monotonic()
        if former is not None and now - former.at < INTERVAL:
            return former.usage
        try:
            tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            measured = [_measure(process) for process in tree]
        except psutil.Error:
            self._samples.pop(pid, None)
            return None
        seconds = sum(cpu for _, cpu in measured)
        cpu = None
        if former is not None:
            cpu = max(0.0, (seconds - former.cpu_seconds) / (now - former.at))
        usage = Usage(sum(memory for memory, _ in measured), cpu)
        self._samples[pid] = _Sample(now, seconds, usage)
        return usage

    def forget(self, pid: int) -> None:
        self._samples.pop(pid, None)


def _measure(process: psutil.Process) -> tuple[int, float]:
    """(bytes, CPU seconds); nothing for a descendant that has just ended."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            return _proportional(process), times.user + times.system
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0, 0.0


def _proportional(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    return int(getattr(full, "pss", 0) or full.rss)
