"""The one load of a runner: import, find, describe; whatever user code does, an Outcome."""

from __future__ import annotations

from time import perf_counter

from .finding import find
from .importing import import_target
from .imports import report
from .jsontext import dumps
from .methods import python_version
from .outcome import Outcome
from .reads import Reads
from .snapshot import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import AbstractSet, Any, Dict, List, Optional, Tuple

    from .outcome import Definition
    from .settings import Settings
    from .sources import Read


def load(settings: Settings, read: Read, known: AbstractSet[str]) -> Outcome:
    """Runs user code on the calling thread; `read` fills while it does.

    `known`: the modules that were there before.
    """
    began, reads = perf_counter(), Reads()
    loader: Optional[str] = None
    definitions: List[Definition] = []
    importing = 0.0
    problem: Optional[Dict[str, Any]] = None
    try:
        module = import_target(settings)
        importing = perf_counter() - began
        loader, definitions = described(module, settings)
    except BaseException as error:  # noqa: BLE001  sys.exit() and all else that code may raise
        from .problem import describe  # `traceback` costs milliseconds, and most loads are good

        problem = describe(error, settings.working_directory)
    seconds, variables = perf_counter() - began, reads.end()
    digests, names = dict(read[0]), frozenset(read[1])  # other threads may go on importing
    body = encoded(loader, definitions, problem, digests, python_version(), seconds)
    imports = {
        **report(settings, known, names),
        "variables": variables,
        "seconds": seconds,
        "import_seconds": importing,
    }
    return Outcome(loader, definitions, problem, digests, seconds, body, dumps(imports).encode())


def described(module: ModuleType, settings: Settings) -> Tuple[str, List[Definition]]:
    name, loader, targets = find(module, settings)
    return name, loader.definitions(targets)
