"""What went wrong, in one line and in full. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from codelocd.model import Exit, Problem


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


def of_load(data: Mapping[str, Any], at: float) -> Problem:
    """The runner reported why the code did not load."""
    return Problem("load", str(data["summary"]), str(data.get("detail") or ""), at)


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
