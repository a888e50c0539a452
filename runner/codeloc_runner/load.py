"""The one load of a runner: import, find, describe; whatever user code does, an Outcome."""

from __future__ import annotations

from time import perf_counter

from .finding import find
from .importing import import_target
from .methods import python_version
from .outcome import Outcome
from .snapshot import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Tuple

    from .outcome import Definition
    from .settings import Settings


def load(settings: Settings, sources: Mapping[str, str]) -> Outcome:
    """Runs user code on the calling thread; `sources` fills while it does."""
    began = perf_counter()
    loader: Optional[str] = None
    definitions: List[Definition] = []
    problem: Optional[Dict[str, Any]] = None
    try:
        loader, definitions = loaded(settings)
    except BaseException as error:  # noqa: BLE001  sys.exit() and all else that code may raise
        from .problem import describe  # `traceback` costs milliseconds, and most loads are good

        problem = describe(error, settings)
    seconds = perf_counter() - began
    told = dict(sources)  # other threads of user code may go on importing
    body = encoded(loader, definitions, problem, told, python_version(), seconds)
    return Outcome(loader, definitions, problem, told, seconds, body)


def loaded(settings: Settings) -> Tuple[str, List[Definition]]:
    module = import_target(settings)
    name, loader, targets = find(module, settings)
    return name, loader.definitions(targets)
