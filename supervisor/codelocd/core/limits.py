"""What limits mean: how nice a weight is, how soon to look again, what a broken one is. Pure."""

from __future__ import annotations

from codelocd.model import Policy, Problem

USUAL_WEIGHT = 100
"""`cpu.weight` of a control group by default (Documentation/admin-guide/cgroup-v2.rst)."""

STEP = 1.25
"""What one step of niceness takes of a process's share (sched_prio_to_weight of the kernel)."""

NICEST = 19

FASTEST = 1000.0
"""Tasks that a runner may start within a second, roughly: a loop of forks on an idle core."""

SOONEST, LATEST = 0.05, 1.0
"""Seconds between two looks at a runner that has a limit of tasks."""


def niceness(policy: Policy) -> int | None:
    """Of a runner's processes; a weight below the usual one is told in steps of niceness, where
    no control group keeps to it. None: as the daemon's own.
    """
    if policy.nice is not None:
        return policy.nice
    weight, nice = policy.cpu_weight, 0
    if weight is None or weight >= USUAL_WEIGHT:
        return None
    while nice < NICEST and USUAL_WEIGHT / STEP**nice > weight:
        nice += 1
    return nice


def look_again(tasks: int, limit: int) -> float:
    """Seconds until a runner that has so many tasks could have more than its limit."""
    return min(max((limit - tasks) / FASTEST, SOONEST), LATEST)


def over_tasks(tasks: int, limit: int, at: float) -> Problem:
    what = f"the runner had {tasks} tasks (processes and threads)"
    return Problem("limit", f"{what}, more than tasks_limit = {limit}", at=at)


def of_files(problem: Problem, limit: int | None) -> Problem:
    """A failure for want of descriptors, where the location's own limit is what it met."""
    if limit is None or "[Errno 24]" not in problem.summary:
        return problem
    summary = f"{problem.summary}; open_files = {limit}"
    return Problem("limit", summary, problem.detail, problem.at)
