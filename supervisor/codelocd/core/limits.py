"""Computes what limits mean: niceness for a weight, when to look again, and the problem of a broken
one. Pure."""

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
    """The niceness of a runner's processes. A `cpu_weight` below the usual one becomes steps of
    niceness, for use where no control group applies the weight. None: that of the daemon."""
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


QUICK = 128 * 1024 * 1024
"""Bytes that a runner may take within a second, as far as anything is known of it."""

MEMORY_SOONEST, MEMORY_LATEST = 0.1, 10.0
"""Seconds between two looks at the memory of a runner that has a limit of it."""

MEMORY_SHARE = 0.02
"""The part of a core that looks take at most."""


def look_at_memory_again(
    used: int, limit: int, growth: float, *, pause: float, cost: float
) -> float:
    """Seconds until a runner could be beyond its limit.

    `growth`: bytes a second since the look before; it may double. `pause`: the seconds since that
    look, which double at most: how a runner grows is known soon after its start. `cost`: seconds
    of a core that the look took.
    """
    soon = min((limit - used) / max(QUICK, 2 * growth), 2 * pause)
    return min(max(soon, MEMORY_SOONEST, cost / MEMORY_SHARE), MEMORY_LATEST)


RUNNER = "the runner"
SERVER = "Dagster's code server"
SERVER_WITH_RUNS = "Dagster's code server and its runs"
"""What can be beyond a limit, as problems call it."""


def over_memory(used: str, limit: str, at: float, what: str = RUNNER, more: str = "") -> Problem:
    """Both as people write amounts of memory. `more`: what else there is to say."""
    summary = f"{what} used {used} of memory, more than memory_limit = {limit}"
    return Problem("limit", f"{summary}{more}", at=at)


def over_tasks(tasks: int, limit: int, at: float, what: str = RUNNER, more: str = "") -> Problem:
    """`more`: what else there is to say."""
    summary = f"{what} had {tasks} tasks (processes and threads), more than tasks_limit = {limit}"
    return Problem("limit", f"{summary}{more}", at=at)


def of_group(policy: Policy) -> dict[str, str]:
    """What the files of a runner's control group are to hold. All of it is ended together where
    the memory is too little for it."""
    most = {"memory.max": policy.memory_limit, "pids.max": policy.tasks_limit}
    return {
        **{name: "max" if limit is None else str(limit) for name, limit in most.items()},
        "memory.oom.group": "1",
        "cpu.weight": str(policy.cpu_weight or USUAL_WEIGHT),
    }


def out_of_memory(limit: str, at: float, what: str = RUNNER) -> Problem:
    """`limit` as people write amounts of memory."""
    summary = f"the kernel ended {what}, which needed more than memory_limit = {limit}"
    return Problem("limit", summary, at=at)


def met(problem: Problem, policy: Policy, *, refused: bool) -> Problem:
    """A failure for want of descriptors or tasks, where the location's own limit is what it met.

    `refused`: its control group has refused it a task.
    """
    limits = {
        "[Errno 24]": policy.open_files,
        "[Errno 11]": policy.tasks_limit if refused else None,
    }
    names = {"[Errno 24]": "open_files", "[Errno 11]": "tasks_limit"}
    for error, limit in limits.items():
        if limit is not None and error in problem.summary:
            summary = f"{problem.summary}; {names[error]} = {limit}"
            return Problem("limit", summary, problem.detail, problem.at)
    return problem
