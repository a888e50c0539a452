"""Describes failures for people: one line, and the details. Pure."""

from __future__ import annotations

import re
import shlex
import signal
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeloc_envs.problem import shortage_in
from codelocd.core.restarts import RestartHistory
from codelocd.model import CodeFrame, Exit, Policy, Problem

if TYPE_CHECKING:
    from codelocd.documents.locations import FrameDocument, ProblemDocument

FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+),? in ')
"""A line of a stack, as Python or its fault handler prints it."""
THREAD = re.compile(r"^(?:Current t|T)hread .*\(most recent call first\):$")
"""What the fault handler prints above the stack of a thread."""
NOT_THEIRS = re.compile(r"/(site|dist)-packages/|/lib(64)?/python\d|/codeloc_runner/|\.zip/|^<")
"""In the path of a frame that is no code of the location's own."""
ENDED = "ended by the daemon"
"""The end of a runner that the daemon told to end: the signal is not named, since nothing went
wrong."""
LAST_LINES = 20
"""Lines of output that a problem shows."""


def of_exit(
    end: Exit,
    loading: bool,
    last_lines: Sequence[str],
    at: float,
    folder: Path,
    what: str = "the runner",
) -> Problem:
    """A process ended by itself; `last_lines` of its output say where, if anything does.

    A file below `folder`, the working directory, is named from there, as where code does not
    load. The frames of the runner itself are not shown.
    """
    when = " while it loaded the code" if loading else ""
    place = _place(end, last_lines, f"{folder}/")
    shown = list(_without_runners(last_lines))[-LAST_LINES:]
    detail = "\n".join(["The last lines it printed:", *shown]) if shown else ""
    return Problem("crash", f"{what} {how(end)}{when}{place}", detail, at)


def _place(end: Exit, lines: Sequence[str], folder: str) -> str:
    """The user's own line in what the fault handler printed last, or the call of os._exit."""
    mark = f"os._exit({end.status}) was called:" if end.signal is None else "Fatal Python error: "
    starts = [at for at, line in enumerate(lines) if line.startswith(mark)]
    if not starts:
        return ""
    said = ": os._exit was called" if end.signal is None else ""
    after = lines[starts[-1] :]
    current = [at for at, line in enumerate(after) if line.startswith("Current thread ")]
    for line in after[current[0] if current else 0 :]:
        frame = FRAME.match(line)
        if frame and not NOT_THEIRS.search(frame[1]):
            return f"{said} ({frame[1].removeprefix(folder)}:{frame[2]})"
    return said


def _without_runners(lines: Sequence[str]) -> Iterator[str]:
    """The lines but for the frames of the runner, and for the threads that have no other."""
    kept = [line for line in lines if not _is_runners(line)]
    is_after_heading = False
    for line, after in zip(kept, [*kept, ""][1:], strict=True):
        if THREAD.match(line) and not FRAME.match(after):
            is_after_heading = True
            continue
        if line or not is_after_heading:
            yield line
        is_after_heading = False


def _is_runners(line: str) -> bool:
    frame = FRAME.match(line)
    return frame is not None and ("/codeloc_runner/" in frame[1] or frame[1].startswith("<frozen"))


def how(end: Exit) -> str:
    """How a process ended: `exited with status 7`, `was killed by SIGSEGV`."""
    if end.signal is not None:
        return f"was killed by {_name(end.signal)}"
    return "ended" if end.status is None else f"exited with status {end.status}"


def of_load(data: Mapping[str, Any], at: float, remedy: str = "", block: str = "") -> Problem:
    """The runner reported why the code did not load; `remedy` is what to do about it, `block`
    the lines to paste for it.
    """
    summary, detail = str(data["summary"]), str(data.get("detail") or "")
    if remedy:
        pasted = f":\n\n{block}" if block else "\n"
        summary, detail = f"{summary}; {remedy}", f"{detail}\n{remedy}{pasted}"
    frames = tuple(data.get("frames") or ())
    return Problem("load", summary, detail, at, frames=frames, remedy=block.rstrip() or remedy)


def lacking(said: Mapping[str, Any]) -> int | None:
    """What the machine lacked (`errno`), where code did not load for want of it.

    A BlockingIOError is none: the code may have asked for it.
    """
    waiting = [said.get("error")]
    while waiting:
        error = waiting.pop()
        if error is not None:
            number = shortage_in(error["message"]) if error["type"] == "OSError" else None
            if number is not None:
                return number
            waiting += error["causes"]
    return None


def diverged(why: str, at: float) -> Problem:
    """A load without a warm start that was not trusted either."""
    return Problem("load", f"the code did not load as in a fresh interpreter: {why}", at=at)


def of_hang(
    seconds: float,
    stacks: Sequence[Mapping[str, Any]],
    at: float,
    folder: Path,
    note: str = "",
) -> Problem:
    """The code did not finish loading in time; `stacks` say where it was, `note` what else is known
    of that. `folder` as above."""
    summary = f"the code did not finish loading within {seconds:g} s (start_timeout)"
    where, detail = _hangs(stacks, note, folder)
    return Problem("load", f"{summary}{where}", detail, at)


def unresponsive(
    seconds: float, stacks: Sequence[Mapping[str, Any]], at: float, folder: Path, note: str = ""
) -> Problem:
    """A runner was silent for so many seconds. The rest as for `of_hang`."""
    summary = f"the runner did not answer a ping within {seconds:g} s (ping_timeout)"
    where, detail = _hangs(stacks, note, folder)
    return Problem("unresponsive", f"{summary}{where}", detail, at)


def _hangs(stacks: Sequence[Mapping[str, Any]], note: str, folder: Path) -> tuple[str, str]:
    """The user's innermost line, of the main thread if that has one; and all that is known."""
    threads = [f"{thread['name']}:\n{chr(10).join(thread['stack'])}" for thread in stacks]
    place = ""
    for thread in sorted(stacks, key=lambda one: one["name"] != "MainThread"):
        frames = [found for line in thread["stack"] if (found := FRAME.match(line))]
        own = [frame for frame in frames if not NOT_THEIRS.search(frame[1])]
        if own and not place:
            place = f" ({own[-1][1].removeprefix(f'{folder}/')}:{own[-1][2]})"
    return place, "\n".join([*threads, *([note] if note else [])])


def of_another(lock: Path, holder: int | None, at: float) -> Problem:
    """Another process holds the lock of the location, so the runner must not serve it."""
    who = "another process" if holder is None else f"another process (pid {holder})"
    summary = f"{who} serves this location: it holds {lock}; end it"
    detail = "It is tried again by itself, for as long as it takes."
    return Problem("limit", summary, detail, at)


def of_another_node(node: str, at: float) -> Problem:
    """Another runner of the location serves, or may still serve, on another node."""
    what = f"waiting for another runner of it, which has not let go, to start on {node}"
    return Problem("limit", what, "It is tried again by itself.", at)


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


def final(problem: Problem, history: RestartHistory, policy: Policy) -> Problem:
    """The failure after which nothing is tried again by itself."""
    if policy.restart == "never":
        return problem
    count, period = len(history.failures), policy.restart_limit.period
    summary = f"{problem.summary}; gave up after {count} failures within {period:g} s"
    return replace(problem, summary=f"{summary} (restart_limit)", final=True)


def of_bug(bug: BaseException, at: float) -> Problem:
    """Something that should not happen; what happened is told in full."""
    summary = f"internal error: {type(bug).__name__}: {bug}"
    return Problem("crash", summary, "".join(traceback.format_exception(bug)), at)


def as_json(problem: Problem | None, location: str = "") -> ProblemDocument | None:
    """As the contract has it; what nothing is tried for again says how to start `location`."""
    if problem is None:
        return None
    start = f"; to try again: codelocd start {shlex.quote(location)}"
    return {
        "kind": problem.kind,
        "summary": problem.summary + (start if problem.final and location else ""),
        "detail": problem.detail,
        "at": problem.at,
        "frames": [_frame(each) for each in problem.frames],
        "remedy": problem.remedy or None,
    }


def _frame(frame: CodeFrame) -> FrameDocument:
    return {
        "file": frame.file,
        "line": frame.line,
        "column": frame.column,
        "function": frame.function,
        "own": frame.own,
        "code": [list(line) for line in frame.code],
    }


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
