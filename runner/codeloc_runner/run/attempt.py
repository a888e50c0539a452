"""The life of one attempt: claim it, load the code that is served, run it, leave its result."""

from __future__ import annotations

import os
import sys
from time import perf_counter, time

from ..load.damage import InterpreterState, allow_depth, report_exits
from ..load.exceptions import LoadFailure, type_name
from ..load.location import import_target
from ..loaders import find
from ..main import leave, prepare_for_user_code
from ..process import (
    die_with,
    hold_to_limits,
    live_as_long_as,
    prepare_streams,
    print_stacks_at,
    search_path,
)
from ..wire.methods import python_version
from . import native
from .cancelling import CancelGuard
from .code import ServedCode
from .events import EventPipe
from .folder import AlreadyRun, AttemptFolder
from .order import FORMAT, read_order
from .steps import StepEvents, described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List, NoReturn, Optional, Tuple

    from .order import AttemptOrder


SUCCEEDED, FAILED, CANCELLED, REFUSED, UNREADABLE = range(5)
"""Exit statuses."""
STATUSES = {"succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED}


def run(location: str, path: str, search: List[str], known: AbstractSet[str]) -> None:
    """In a process of its own, started for this; `path` is that of the order."""
    prepare_streams()
    order = order_at(location, path)
    die_with(order.parent)
    print_stacks_at(order.stacks_signal)
    live(order, search_path(order, search), known)


def order_at(location: str, path: str) -> AttemptOrder:
    """Ends the process where it cannot be read."""
    try:
        return read_order(location, path)
    except (OSError, KeyError, TypeError, ValueError) as error:
        print(f"the order {path} cannot be read: {type_name(error)}: {error}", file=sys.stderr)
        os._exit(UNREADABLE)


def live(order: AttemptOrder, path: List[str], known: AbstractSet[str]) -> NoReturn:
    """In a process that is bound and can print; `path`: what `sys.path` shall be, all of it."""
    hold_to_limits(order.group, order.nice, order.open_files)
    live_as_long_as(order.life_fd)
    folder = AttemptFolder(order.folder, order.attempt)
    try:
        folder.claim()
    except (AlreadyRun, OSError) as error:
        print(f"run {order.run}, attempt {order.attempt}: {error}", file=sys.stderr)
        leave(REFUSED)
    pipe = EventPipe(order.events_fd)
    pipe.tell("begun", pid=os.getpid(), python=python_version())
    guard = CancelGuard()
    served = ServedCode(order)
    prepare_for_user_code(order, path, known, served.install)
    started, began = time(), perf_counter()
    steps = StepEvents(order, pipe)
    told = ended(order, served, steps, guard, pipe)
    result = {
        "format": FORMAT,
        "run": order.run,
        "attempt": order.attempt,
        **told,
        "python": python_version(),
        "started": started,
        "ended": time(),
        "seconds": perf_counter() - began,
        "steps": steps.steps,
        "late": served.late,
        "notes": steps.notes,
        "dropped": pipe.dropped,
        "memory_peak": memory_peak(),
    }
    lost = folder.leave_result(result)
    if lost is not None:
        print(f"the result cannot be stored: {lost}", file=sys.stderr)
    pipe.tell("result", state=told["state"], why=told["why"], stored=lost is None)
    pipe.close()
    leave(STATUSES[told["state"]])


def ended(
    order: AttemptOrder, served: ServedCode, steps: StepEvents, guard: CancelGuard, pipe: EventPipe
) -> Dict[str, Any]:
    """`state`, `why`, `summary` and `problem` of the run, once all of its threads have ended."""
    report_exits()
    began = perf_counter()
    try:
        loader, targets = loaded(order, served, guard)
        pipe.tell("loaded", seconds=perf_counter() - began)
        if loader != "native":
            raise native.UsageFailure("its definitions are Dagster's, which codelocd does not run")
        result = native.run(targets, order, steps, guard)
        state, why = result.state, result.why
        guard.call(end_threads)
    except BaseException as error:  # noqa: BLE001  whatever user code raises
        return of_exception(error, order, guard)
    return outcome("cancelled" if guard.cancelled else state, why)


def outcome(
    state: str,
    why: Optional[str] = None,
    summary: Optional[str] = None,
    problem: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    if state != "failed":
        why = None
    return {"state": state, "why": why, "summary": summary, "problem": problem}


def of_exception(error: BaseException, order: AttemptOrder, guard: CancelGuard) -> Dict[str, Any]:
    """Of a run that did not come to its end."""
    if guard.cancelled:
        return outcome("cancelled")
    if isinstance(error, native.UsageFailure):
        print(f"codelocd: {error}", file=sys.stderr)
        return outcome("failed", "usage", str(error))
    why = "load" if isinstance(error, (LoadError, LoadFailure)) else "exception"
    problem = described(error.__cause__ or error, order, "load" if why == "load" else "run")
    print(problem["detail"], file=sys.stderr)
    return outcome("failed", why, problem["summary"], problem)


class LoadError(Exception):
    """User code that could not be loaded; its cause is the exception itself."""


def loaded(order: AttemptOrder, served: ServedCode, guard: CancelGuard) -> Tuple[str, List[Any]]:
    """The loader by name, and the objects with the definitions. Raises LoadError."""
    interpreter = InterpreterState()

    def load() -> Tuple[str, List[Any]]:
        name, _, targets = find(import_target(order, served.has), order)
        return name, targets

    try:
        found: Tuple[str, List[Any]] = guard.call(load)
    except BaseException as error:
        interpreter.restore_all()
        allow_depth(error)
        raise LoadError from error
    interpreter.restore()
    return found


def end_threads() -> None:
    """Wait for those that user code left behind, as the interpreter does at its end."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()


def memory_peak() -> Optional[int]:
    """Bytes. On Linux a fork begins with what the process had that it is a fork of."""
    try:
        from resource import RUSAGE_SELF, getrusage  # at the end, where it delays nothing
    except ImportError:
        return None
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
