"""Makes `codeloc` importable where it is not installed, and nothing else of the bundle.

In a runner, and in the Pythons that it starts: those load this module by its path, through
`children/sitecustomize`, and so it imports nothing of the bundle, but in a worker of a run.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import SourceFileLoader, spec_from_file_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, List, Optional, Sequence


NAME = "codeloc"
HERE = os.path.dirname(os.path.abspath(__file__))
API = os.path.join(os.path.dirname(HERE), "api")
CHILDREN = os.path.join(HERE, "children")
SEARCHED, MODULE = "PYTHONPATH", "CODELOCD_MODULE"
"""The second: `NAME=FILE`, the module that a runner made of its location's file."""
ORDER = "CODELOCD_ORDER"
"""The file with the order of the attempt of a run: its workers execute the code that it does."""
PACKAGE = "_codeloc_runner"
"""What the runner's own package is called in a process of user code, as `__main__` has it."""
WORKERS = (
    "multiprocessing.spawn import spawn_main",
    "multiprocessing.forkserver import main",
    "loky.backend.popen_loky_posix",
)
"""What stands in the command line of a process that runs functions of its parent."""


class CodelocFinder:
    """A finder for exactly one name, asked last: an installed copy wins."""

    @staticmethod
    def find_spec(
        fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != NAME:
            return None
        folder = os.path.join(API, NAME)
        return spec_from_file_location(
            NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


class LocationFileFinder:
    """A finder, asked first, for the location's file under the name that the runner gave it.

    Functions travel to a worker by the name of their module. The file's folder need not be the
    first that has one of that name, and no folder has `a_b` for `a.b.py`.
    """

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.file = file

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname != self.name or not os.path.isfile(self.file):
            return None
        loader = SourceFileLoader(fullname, self.file)
        return spec_from_file_location(fullname, self.file, loader=loader)


def remove_finder() -> None:
    """For a process that shall find nothing but what is installed."""
    sys.meta_path.remove(CodelocFinder)
    for name, module in list(sys.modules.items()):
        file = getattr(getattr(module, "__spec__", None), "origin", None)
        if name.partition(".")[0] == NAME and isinstance(file, str) and file.startswith(API):
            del sys.modules[name]


def add_finder() -> None:
    """Once, however often it is asked for."""
    if CodelocFinder not in sys.meta_path:
        sys.meta_path.append(CodelocFinder)


def prepare_children() -> None:
    """To what this process starts, by its variables.

    First in the search path, for the first `sitecustomize` is the one that Python imports; what
    was there follows as it was. A folder that no search path can name is left out.
    """
    os.environ.pop(MODULE, None)
    os.environ.pop(ORDER, None)
    if os.pathsep not in CHILDREN:
        former = os.environ.get(SEARCHED)
        os.environ[SEARCHED] = os.pathsep.join([CHILDREN, former] if former else [CHILDREN])


def begins_with_codeloc() -> bool:
    """Whether a Python that starts with these variables gets `codeloc` so."""
    return CHILDREN in os.environ.get(SEARCHED, "").split(os.pathsep)


def name_order_to_children(order: str) -> None:
    os.environ[ORDER] = order


def name_file_to_children(name: str, file: str) -> None:
    os.environ[MODULE] = f"{name}={file}"


def begin_child() -> None:
    """In a Python that was started so."""
    add_finder()
    name, _, file = os.environ.get(MODULE, "").partition("=")
    if name and is_worker():
        sys.meta_path.insert(0, LocationFileFinder(name, file))
    else:
        os.environ.pop(MODULE, None)  # a program of its own has modules of its own
    order = os.environ.get(ORDER)
    if order and is_worker():
        serve_code(order)
    else:
        os.environ.pop(ORDER, None)


def serve_code(order: str) -> None:
    """What a worker imports of the location, as the attempt has it, whatever is on the disk."""
    package = type(sys)(PACKAGE)
    package.__path__ = [HERE]
    sys.modules[PACKAGE] = package
    worker: Any = __import__(f"{PACKAGE}.run.worker", fromlist=["begin"])
    worker.begin(order)


def is_worker() -> bool:
    return any(sign in word for word in command_line() for sign in WORKERS)


def command_line() -> List[str]:
    """The words of this process's; Pythons before 3.10 keep only those after the program."""
    words: Optional[List[str]] = getattr(sys, "orig_argv", None)
    if words is not None:
        return words
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return os.fsdecode(file.read()).split("\0")
    except OSError:
        return []
