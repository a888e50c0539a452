"""The one load of a runner: import, find, describe; whatever user code does, an Outcome."""

from __future__ import annotations

import sys
from time import perf_counter, time

from . import ending, raised
from .belongings import Belongings, allow_depth
from .changes import Changes
from .finding import find
from .frames import is_ours
from .importing import import_target
from .imports import report
from .jsontext import dumps
from .loaders import loader as loader_of
from .methods import python_version
from .outcome import Outcome
from .reads import Reads
from .snapshot import encoded, fitted
from .sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import AbstractSet, Any, Callable, Dict, List, Optional, Tuple

    from .outcome import Definition
    from .settings import Settings
    from .sources import Read

    Judge = Callable[[List[str], bool], Optional[Dict[str, str]]]


def no_departure(changed: List[str], good: bool) -> None:
    """Of a fresh start: there is nothing that it could depart from."""


def load(settings: Settings, read: Read, known: AbstractSet[str], departure: Judge) -> Outcome:
    """Runs user code on the calling thread; `read` fills while it does.

    `known`: the modules that were there before. `departure(changed, good)` says whether a cold
    start may end otherwise, by what the load has changed and whether it went well.
    """
    began, since, reads, changes = perf_counter(), time(), Reads(), Changes()
    loader: Optional[str] = None
    definitions: List[Definition] = []
    listed = "[]"
    importing = 0.0
    problem: Optional[Dict[str, Any]] = None
    belongings = Belongings()
    gone: List[str] = []
    leave = ending.watch()
    try:
        try:
            module = import_target(settings)
        finally:
            gone = belongings.mend()
        importing = perf_counter() - began
        loader, definitions = described(module, settings)
        definitions, listed = fitted(definitions)
        watch = read_beside(since)
    except BaseException as error:  # noqa: BLE001  sys.exit() and all else that code may raise
        gone += belongings.mend_all()
        gone += allow_depth(error)
        problem, definitions = told(error, settings, gone, list(read[0])), []
        watch = read_beside(since)
    leave()
    seconds, variables = perf_counter() - began, reads.end()
    digests, names = dict(read[0]), frozenset(read[1])  # other threads may go on importing
    changed = changes.names(reads.written, names)
    body = encoded(loader, listed, problem, digests, watch, python_version(), seconds)
    imports = {
        **report(settings, known, names),
        "variables": variables,
        "changed": changed,
        "departure": departure(changed, problem is None),
        "seconds": seconds,
        "import_seconds": importing,
    }
    return Outcome(loader, definitions, problem, digests, seconds, body, dumps(imports).encode())


def told(
    error: BaseException, settings: Settings, gone: List[str], files: List[str]
) -> Dict[str, Any]:
    """The problem; by its line alone where user code took apart what is needed for more."""
    try:
        from .problem import describe  # `traceback` costs milliseconds, and most loads are good

        return describe(error, settings, gone, files)
    except BaseException:  # noqa: BLE001  no memory, or no interpreter to speak of
        try:
            said = plainly(error, settings.working_directory)
        except BaseException:  # noqa: BLE001  as above
            said = raised.type_name(error)
        return {"kind": "load", "summary": said, "detail": said, "error": None, "missing": None}


def plainly(error: BaseException, working_directory: str) -> str:
    """The error and the innermost line of the location's own, with nothing imported for it."""
    said = ": ".join(filter(None, [raised.type_name(error), raised.message(error)[:500]]))
    place = ""
    for entry in raised.entries_of(raised.traceback_of(error)):
        file = entry.tb_frame.f_code.co_filename
        if file.startswith("/") and is_source(file) and not is_ours(file):
            if file.startswith(working_directory + "/"):
                file = file[len(working_directory) + 1 :]
            place = f" ({file}:{entry.tb_lineno})"
    return " ".join(said.splitlines()) + place


def read_beside(since: float) -> List[str]:
    """Globs of what was read that is no Python; before the objects that tell it are gone."""
    try:
        found: List[str] = []
        if "dagster" in sys.modules:
            found = loader_of("dagster_files").globs(since)
        return found
    except BaseException:  # noqa: BLE001  as above
        return []


def described(module: ModuleType, settings: Settings) -> Tuple[str, List[Definition]]:
    name, loader, targets = find(module, settings)
    return name, loader.definitions(targets)
