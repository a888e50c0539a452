"""A process that runs functions of an attempt: one of `multiprocessing`, a step of Dagster's."""

from __future__ import annotations

import sys
from _frozen_importlib_external import PathFinder

from .code import ServedCode
from .order import read_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Callable, Optional, Sequence


LOGGERS = "dagster._loggers"


class ImportWatch:
    """A finder, asked first, that calls `then` once the module `name` has been imported."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path)
        loader = None if spec is None else spec.loader
        if loader is not None and hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def executed(module: ModuleType) -> None:
                execute(module)
                self._then()

            loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def begin(path: str) -> None:
    """Import from now on what the attempt does. `path`: of its order. Raises OSError, KeyError,
    TypeError or ValueError."""
    order = read_order("", path)
    ServedCode(order).install()
    if getattr(order, "dagster_run", None) is not None:
        sys.meta_path.insert(0, ImportWatch(LOGGERS, quieten_console))


def quieten_console() -> None:
    """As the attempt itself does: a step in a process of its own prints what its code does."""
    from .dagster_releases import quieten_console as quieten

    quieten()
