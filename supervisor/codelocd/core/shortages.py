"""Describes what the machine lacks for now, and decides when to try again. Pure.

A failure of the machine is not one of the location: no limit counts it, and it ends by itself.
"""

from __future__ import annotations

import errno

from codelocd.core.restarts import growing
from codelocd.model import Backoff, Problem

BACKOFF = Backoff(initial=0.2, factor=2.0, maximum=10.0, jitter=0.2)
"""Even the longest pause is short: no event tells when the shortage is over."""

WAITING = "waiting for the machine"
"""How the summary of each such problem begins."""


def pause(streak: int, chance: float) -> float:
    """Seconds until the next try, after so many in a row. `chance` in [0, 1) places it."""
    return growing(streak, BACKOFF) * (1 + BACKOFF.jitter * (2 * chance - 1))


def problem(number: int, what: str, at: float, *, files: int, processes: int) -> Problem:
    """What `number` (of `errno`) means and what to do; `what` could not be done for it.

    `files` and `processes`: the daemon's limits of both (getrlimit(2)); -1 for none.
    """
    lacks, advice = _words(number, files, processes)
    detail = f"{what}\nIt is tried again by itself, for as long as it takes."
    return Problem("limit", f"{WAITING}: {lacks}; {advice}", detail, at)


def _words(number: int, files: int, processes: int) -> tuple[str, str]:
    if number == errno.EMFILE:
        limit = f"too many open files (RLIMIT_NOFILE {_figure(files)})"
        return limit, "raise it (ulimit -n, LimitNOFILE= of systemd), or run fewer locations"
    if number == errno.ENFILE:
        return "too many open files on the whole machine", "raise fs.file-max with sysctl"
    if number == errno.EAGAIN:
        limit = f"no process or thread can be started (RLIMIT_NPROC {_figure(processes)})"
        return limit, "end processes, or raise it (ulimit -u, TasksMax= of systemd)"
    if number in (errno.ENOMEM, errno.ENOBUFS):
        return "out of memory", "free some, or run fewer locations"
    if number == errno.ENOSPC:
        return "the disk is full", "free some room; `codelocd env prune` may help"
    return "the disk quota is used up", "free some room, or raise the quota"


def _figure(limit: int) -> str:
    return "unlimited" if limit < 0 else str(limit)
