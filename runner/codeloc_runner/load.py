"""The one load of a runner: import, find, describe; whatever user code does, an Outcome."""

from __future__ import annotations

from time import perf_counter

from .changes import Changes
from .finding import find
from .importing import import_target
from .imports import report
from .jsontext import dumps
from .methods import python_version
from .outcome import Outcome
from .reads import Reads
from .snapshot import encoded, fitted

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
    began, reads, changes = perf_counter(), Reads(), Changes()
    loader: Optional[str] = None
    definitions: List[Definition] = []
    listed = "[]"
    importing = 0.0
    problem: Optional[Dict[str, Any]] = None
    try:
        module = import_target(settings)
        importing = perf_counter() - began
        loader, definitions = described(module, settings)
        definitions, listed = fitted(definitions)
    except BaseException as error:  # noqa: BLE001  sys.exit() and all else that code may raise
        from .problem import describe  # `traceback` costs milliseconds, and most loads are good

        problem, definitions = describe(error, settings), []
    seconds, variables = perf_counter() - began, reads.end()
    digests, names = dict(read[0]), frozenset(read[1])  # other threads may go on importing
    changed = changes.names(reads.written, names)
    body = encoded(loader, listed, problem, digests, python_version(), seconds)
    imports = {
        **report(settings, known, names),
        "variables": variables,
        "changed": changed,
        "departure": departure(changed, problem is None),
        "seconds": seconds,
        "import_seconds": importing,
    }
    return Outcome(loader, definitions, problem, digests, seconds, body, dumps(imports).encode())


def described(module: ModuleType, settings: Settings) -> Tuple[str, List[Definition]]:
    name, loader, targets = find(module, settings)
    return name, loader.definitions(targets)
