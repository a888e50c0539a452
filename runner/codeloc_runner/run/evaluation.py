"""The life of one evaluation: load the code that is served, ask one schedule or sensor, leave what
it says. It may be repeated: nothing is claimed."""

from __future__ import annotations

from time import perf_counter

from ..load.damage import report_exits
from ..main import leave, prepare_for_user_code
from ..process import die_with, hold_to_limits, live_as_long_as, say
from ..wire.json_values import dumps
from ..wire.methods import python_version
from . import native
from .cancelling import CancelGuard
from .code import ServedCode
from .folder import write_whole
from .loading import end_threads, failure, loaded, memory_peak
from .order import FORMAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List, NoReturn

    from .order import EvaluationOrder


def live(order: EvaluationOrder, path: List[str], known: AbstractSet[str]) -> NoReturn:
    """In a process that is bound and can print; `path`: what `sys.path` shall be, all of it."""
    die_with(order.parent)  # a fork, too: no daemon adopts an evaluation
    hold_to_limits(order.group, order.nice, order.open_files)
    live_as_long_as(order.life_fd)
    guard, served = CancelGuard(), ServedCode(order)
    prepare_for_user_code(order, path, known, served.install)
    began = perf_counter()
    said = outcome(order, served, guard)
    result = {
        "format": FORMAT,
        "name": order.name,
        **said,
        "python": python_version(),
        "seconds": perf_counter() - began,
        "late": served.late,
        "memory_peak": memory_peak(),
    }
    try:
        write_whole(order.result, dumps(result).encode())
    except OSError as error:
        say(f"the result cannot be stored: {error}")
        leave(1)
    leave(0 if said["state"] == "succeeded" else 1)


def outcome(order: EvaluationOrder, served: ServedCode, guard: CancelGuard) -> Dict[str, Any]:
    """`state`, `why`, `summary`, `problem`; of one that succeeded also `runs`, `skipped` and
    `cursor`."""
    report_exits()
    try:
        code = loaded(order, served, guard)
        if code.loader != "native":
            raise native.UsageFailure("its definitions are Dagster's, whose daemon asks them")
        found = native.evaluate(code.targets, order, guard)
        guard.call(end_threads)
    except BaseException as error:  # noqa: BLE001  whatever user code raises
        return failure(error, order)
    return {
        "state": "succeeded",
        "why": None,
        "summary": None,
        "problem": None,
        "runs": [{"params": run.params, "tags": run.tags, "key": run.key} for run in found.runs],
        "skipped": found.skipped,
        "cursor": found.cursor,
    }
