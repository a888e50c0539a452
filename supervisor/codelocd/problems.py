"""What went wrong, in one line and in full. Pure."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from codelocd.model import Exit, Policy, Problem
from codelocd.restarts import History


def of_exit(end: Exit, loading: bool, last_lines: Sequence[str], at: float) -> Problem:
    """A runner's process ended by itself."""
    when = " while it loaded the code" if loading else ""
    detail = "\n".join(["The last lines it printed:", *last_lines]) if last_lines else ""
    return Problem("crash", f"the runner {how(end)}{when}", detail, at)


def how(end: Exit) -> str:
    """How a process ended: `exited with status 7`, `was killed by SIGSEGV`."""
    if end.signal is not None:
        return f"was killed by {_name(end.signal)}"
    return f"exited with status {end.status}"


def of_load(data: Mapping[str, Any], at: float, remedy: str | None = None) -> Problem:
    """The runner reported why the code did not load; `remedy` is what to do about it."""
    summary, detail = str(data["summary"]), str(data.get("detail") or "")
    if remedy is not None:
        summary, detail = f"{summary}; {remedy}", f"{detail}\n{remedy}\n"
    return Problem("load", summary, detail, at)


def of_hang(seconds: float, stacks: Sequence[Mapping[str, Any]], at: float) -> Problem:
    """The code did not finish loading in time; `stacks` say where it was."""
    summary = f"the code did not finish loading within {seconds:g} s (start_timeout)"
    threads = [f"{thread['name']}:\n{''.join(thread['stack'])}" for thread in stacks]
    return Problem("load", summary, "\n".join(threads), at)


def unresponsive(seconds: float, at: float) -> Problem:
    summary = f"the runner did not answer a ping within {seconds:g} s (ping_timeout)"
    return Problem("unresponsive", summary, at=at)


def over_memory(used: int, limit: int, at: float) -> Problem:
    summary = f"the runner used {used} bytes of memory, more than memory_limit = {limit}"
    return Problem("limit", summary, at=at)


def slow_build(seconds: float, at: float) -> Problem:
    summary = f"building the environment took longer than {seconds:g} s (build_timeout)"
    return Problem("environment", summary, at=at)


def both(death: Problem, cause: Problem | None) -> Problem:
    """A stale runner that died cannot be brought back: the newer source does not load."""
    if cause is None:
        return death
    return replace(
        cause,
        summary=f"{cause.summary}; and the last good runner is gone: {death.summary}",
        detail=f"{cause.detail}\n\nThe last good runner is gone: {death.summary}\n{death.detail}",
        at=death.at,
    )


def final(problem: Problem, history: History, policy: Policy) -> Problem:
    """The failure after which nothing is tried again by itself."""
    if policy.restart == "never":
        return problem
    count, period = len(history.failures), policy.restart_limit.period
    summary = f"{problem.summary}; gave up after {count} failures within {period:g} s"
    return replace(problem, summary=summary)


def of_bug(bug: BaseException, at: float) -> Problem:
    """Something that should not happen; what happened is told in full."""
    summary = f"internal error: {type(bug).__name__}: {bug}"
    return Problem("crash", summary, "".join(traceback.format_exception(bug)), at)


def as_json(problem: Problem | None) -> dict[str, Any] | None:
    if problem is None:
        return None
    return {
        "kind": problem.kind,
        "summary": problem.summary,
        "detail": problem.detail,
        "at": problem.at,
    }


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
