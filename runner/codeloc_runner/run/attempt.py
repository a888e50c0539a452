"""The life of one attempt: claim it, load the code that is served, run it, leave its result."""

from __future__ import annotations

import os
from time import monotonic, perf_counter, time

from ..codeloc_finder import name_order_to_children
from ..load.damage import report_exits
from ..load.sources import imported
from ..main import leave, prepare_for_user_code
from ..process import hold_to_limits, live_as_long_as, say
from ..wire.methods import python_version
from . import native
from .cancelling import CancelGuard
from .code import ServedCode
from .events import EventPipe
from .folder import AlreadyRun, AttemptFolder
from .loading import end_threads, failure, loaded, memory_peak
from .order import FORMAT
from .steps import StepEvents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List, NoReturn, Optional

    from .order import AttemptOrder


SUCCEEDED, FAILED, CANCELLED, REFUSED = range(4)
"""Exit statuses; see also `entry`."""
STATUSES = {"succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED}


def live(order: AttemptOrder, path: List[str], known: AbstractSet[str]) -> NoReturn:
    """In a process that is bound and can print; `path`: what `sys.path` shall be, all of it."""
    hold_to_limits(order.group, order.nice, order.open_files)
    live_as_long_as(order.life_fd)
    served = ServedCode(order)
    prepare_for_user_code(order, path, known, served.install)  # while the daemon has it held
    if not may_begin(order.go_fd):
        leave(REFUSED)
    folder = AttemptFolder(order.folder, order.attempt)
    try:
        folder.claim()
    except (AlreadyRun, OSError) as error:
        say(f"run {order.run}, attempt {order.attempt}: {error}")
        leave(REFUSED)
    pipe = EventPipe(order.events_fd)
    pipe.tell("begun", pid=os.getpid(), python=python_version())
    guard = CancelGuard()
    if order.sources or order.dagster_run is not None:
        name_order_to_children(folder.order)
    started, began = time(), perf_counter()
    told = ended(order, served, guard, pipe)
    result = {
        "format": FORMAT,
        "run": order.run,
        "attempt": order.attempt,
        **told,
        "python": python_version(),
        "started": started,
        "ended": time(),
        "clock": monotonic(),
        "seconds": perf_counter() - began,
        "late": served.late,
        "dropped": pipe.dropped,
        "memory_peak": memory_peak(),
    }
    lost = folder.leave_result(result)
    if lost is not None:
        say(f"the result cannot be stored: {lost}")
    pipe.tell("result", state=told["state"], why=told["why"], stored=lost is None, problem=lost)
    pipe.close()
    leave(STATUSES[told["state"]])


def may_begin(go: Optional[int]) -> bool:
    """Waits for the word, which comes once this process would outlive a daemon that is killed. At
    the end of the pipe there is none: the next daemon starts the attempt anew."""
    if go is None:
        return True
    said = os.read(go, 1)
    os.close(go)
    return bool(said)


def ended(
    order: AttemptOrder, served: ServedCode, guard: CancelGuard, pipe: EventPipe
) -> Dict[str, Any]:
    """`state`, `why`, `summary`, `problem`, `steps`, `notes` and `dagster_run` of the run, once all
    of its threads have ended."""
    report_exits()
    began = perf_counter()
    steps: Any = StepEvents(order, pipe)
    try:
        code = loaded(order, served, guard)
        pipe.tell("loaded", seconds=perf_counter() - began)
        if code.loader == "dagster":
            steps = part("dagster_events").DagsterSteps(pipe)
            told = part("dagster").run(code, order, steps, guard)
            guard.end(end_threads)
        else:
            result = native.run(code.targets, order, steps, guard)
            guard.call(end_threads)
            told = outcome("cancelled" if guard.cancelled else result.state, result.why)
    except BaseException as error:  # noqa: BLE001  whatever user code raises
        told = outcome("cancelled") if guard.cancelled else failure(error, order, steps.printed)
    return {**told, "steps": steps.steps, "notes": steps.notes, "dagster_run": steps.dagster_run}


def part(name: str) -> Any:
    """A module of this folder that few runs have a use for."""
    return imported(f"{__package__}.{name}")


def outcome(state: str, why: Optional[str] = None) -> Dict[str, Any]:
    """Of a run that came to its end, or was cancelled."""
    if state != "failed":
        why = None
    return {"state": state, "why": why, "summary": None, "problem": None}
