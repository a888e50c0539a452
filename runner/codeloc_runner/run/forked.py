"""An attempt or an evaluation as a fork of a warm interpreter, or as what a spare becomes."""

from __future__ import annotations

import gc

from ..forkserver.fork import accepted, answer, arrange_process
from ..forkserver.preload import preload
from ..load.damage import InterpreterState
from ..load.exceptions import type_name
from ..process import search_path
from ..standard_library import release_shadowed
from .entry import life_of
from .order import read_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from ..forkserver.fork import Verdict
    from ..forkserver.preload import Preloaded


OURS = __name__.partition(".")[0]
AHEAD = {
    "codeloc": (f"{OURS}.loaders.native", "codeloc.running"),
    "dagster": (f"{OURS}.run.dagster", f"{OURS}.run.dagster_events"),
}
"""By package: what carries out a run of its definitions, and no load imports."""


def import_ahead(preloaded: Preloaded) -> None:
    """Have each attempt begin with what carries it out. In the interpreter that all are forks of,
    at its first."""
    if __name__ in preloaded.modules:
        return
    for package, modules in AHEAD.items():
        if package in preloaded.modules:
            preload(modules, ())
    if "dagster" in preloaded.modules:
        from .dagster_storage import read_scripts  # few environments have it

        read_scripts()
    preloaded.adopt_modules()
    gc.freeze()


REHEARSED = """\
from codeloc import Definitions, job
@job
def work(): pass
Definitions(jobs=[work]).run("work")
"""


def rehearse(preloaded: Preloaded) -> None:
    """Carry out what every run does, and nothing of a user's: the memory that it takes is copied
    now, and not once an order has come."""
    release_shadowed(preloaded.modules, ())
    InterpreterState()
    if "codeloc" in preloaded.modules:
        try:
            exec(compile(REHEARSED, "<rehearsed>", "exec"), {"__name__": "rehearsed"})  # noqa: S102
        except Exception:  # noqa: BLE001  an older `codeloc` of the environment's own
            return


def become_attempt(
    order: Dict[str, Any], descriptors: List[int], preloaded: Preloaded, verdict: Verdict
) -> None:
    """Live as the process whose order is the file that `order["run"]` names; returns only where it
    has to refuse. The pipe for events and the one for the word to begin stand first, if its order
    says that they are there.
    """
    location, file, own = order["location"], order["run"], descriptors[-3:]
    try:
        told = read_order(location, file)
    except (OSError, KeyError, TypeError, ValueError) as error:
        why = f"the order {file} cannot be read: {type_name(error)}: {error}"
        answer(own[-1], {"refused": why, "stale": False})
        return
    path = search_path(told, preloaded.path)
    if not accepted(told.working_directory, path, own, preloaded, verdict):
        return
    arrange_process([location, file, "run"], order["variables"], preloaded.added)
    given = iter(descriptors)
    told.events_fd = None if told.events_fd is None else next(given)
    told.go_fd = None if told.go_fd is None else next(given)
    life_of(told)(told, [*preloaded.first, *path], preloaded.modules)
