"""Decides when to try again after a failure, and when to give up."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace

from codelocd.model import Backoff, Policy, Problem


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """The failures that still count: when they happened, and how many came in a row."""

    failures: tuple[float, ...] = ()
    streak: int = 0


NO_FAILURES = RestartHistory()
DEFAULT = Policy()


def record(
    history: RestartHistory, now: float, served_for: float, policy: Policy
) -> RestartHistory:
    """The history after a failure at `now` of a runner that had served for `served_for` seconds.

    A runner that served for `healthy_after` starts a new streak; the failures of the
    last `restart_limit.period` seconds count towards the limit whatever happened between
    them, so that a slow crash loop ends too.
    """
    recent = tuple(at for at in history.failures if now - at < policy.restart_limit.period)
    streak = 0 if served_for >= policy.healthy_after else history.streak + 1
    return replace(history, failures=(*recent, now), streak=streak)


def pause(history: RestartHistory, policy: Policy, chance: float) -> float | None:
    """Seconds to wait before the next try, or None to give up.

    `chance` in [0, 1) places the pause within the jitter. The first restart of a runner
    that was healthy is immediate.
    """
    if policy.restart == "never" or len(history.failures) > policy.restart_limit.count:
        return None
    if history.streak == 0:
        return 0.0
    return growing(history.streak, policy.backoff) * (1 + policy.backoff.jitter * (2 * chance - 1))


def of_the_world(history: RestartHistory) -> RestartHistory:
    """The history after a failure that the location is not to blame for: pauses grow, but the
    limit does not count it."""
    return replace(history, streak=history.streak + 1)


def growing(streak: int, backoff: Backoff) -> float:
    """Seconds that double, or so, with each failure in a row; without jitter."""
    exponent = min(max(streak - 1, 0), 64)
    return min(backoff.maximum, backoff.initial * backoff.factor**exponent)


class Pauses:
    """The pauses between starts of a process that is started again without a limit.

    Code servers, and Dagster's own processes: by the policy that a location has by default, but
    without a limit. A run of more than `policy.healthy_after` seconds starts a new streak.
    """

    def __init__(self, policy: Policy = DEFAULT, streak: int = 0) -> None:
        """`streak`: how often in a row it ended by itself before, under an earlier daemon."""
        self._policy = policy
        self.streak = streak

    def after(self, ran_for: float) -> float:
        """Seconds to wait after a run that took so many and then ended by itself."""
        self.streak = 1 if ran_for > self._policy.healthy_after else self.streak + 1
        return growing(self.streak, self._policy.backoff)

    def forget(self) -> None:
        """Its end was asked for: the next one begins a new streak."""
        self.streak = 0


# --- what the machine lacks for now ------------------------------------------------------------

# A failure of the machine is not one of the location: no limit counts it, and it ends by itself.

SHORTAGE_BACKOFF = Backoff(initial=0.2, factor=2.0, maximum=10.0, jitter=0.2)
"""Even the longest pause is short: no event tells when the shortage is over."""

WAITING = "waiting for the machine"
"""How the summary of each such problem begins."""


def shortage_pause(streak: int, chance: float) -> float:
    """Seconds until the next try, after so many in a row. `chance` in [0, 1) places it."""
    return growing(streak, SHORTAGE_BACKOFF) * (1 + SHORTAGE_BACKOFF.jitter * (2 * chance - 1))


def shortage_problem(number: int, what: str, at: float, *, files: int, processes: int) -> Problem:
    """What `number` (of `errno`) means and what to do; `what` could not be done for it.

    `files` and `processes`: the daemon's limits of both (getrlimit(2)); -1 for none.
    """
    lacks, advice = _lacks(number, files, processes)
    detail = f"{what}\nIt is tried again by itself, for as long as it takes."
    return Problem("limit", f"{WAITING}: {lacks}; {advice}", detail, at)


def _lacks(number: int, files: int, processes: int) -> tuple[str, str]:
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
