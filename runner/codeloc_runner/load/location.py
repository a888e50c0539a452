"""Load a location: import its code, find and describe its definitions, whatever user code does."""

from __future__ import annotations

import os
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import SourceFileLoader, spec_from_file_location
from time import perf_counter, time

from ..codeloc_finder import name_file_to_children
from ..loaders import find
from ..loaders import loader as loader_of
from ..wire.json_values import dumps
from ..wire.methods import python_version
from . import exceptions
from .damage import InterpreterState, allow_depth, report_exits
from .exceptions import LoadFailure
from .import_profile import ProcessChanges, VariableReads, imports_of
from .snapshot import Outcome, encoded, fitted
from .sources import imported, is_ours, is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import AbstractSet, Any, Callable, Dict, List, Optional, Tuple

    from ..process import LoadTarget, Settings
    from .snapshot import Definition
    from .sources import Read

    Judge = Callable[[List[str], bool], Optional[Dict[str, str]]]


def import_target(
    settings: LoadTarget, is_file: Callable[[str], bool] = os.path.isfile
) -> ModuleType:
    """Raises LoadFailure, or whatever user code raises: any BaseException."""
    if settings.kind == "python_file":
        return import_file(settings.value, is_file)
    try:
        return imported(settings.value)
    except ModuleNotFoundError as error:
        if not f"{settings.value}.".startswith(f"{error.name}."):
            raise
        raise LoadFailure(
            f"no module {error.name!r} in the working directory {settings.working_directory} or in"
            f" the environment {sys.prefix}; correct the name, or set working_directory"
        ) from None


def import_file(path: str, is_file: Callable[[str], bool]) -> ModuleType:
    if not is_file(path):
        if os.path.isdir(path):
            raise LoadFailure(f"{path} is a folder; name a file in it, or a module")
        raise LoadFailure(f"no file {path}; create it, or correct the path")
    name = module_name(path)
    spec = spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    name_file_to_children(name, path)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return sys.modules.get(name, module)


def module_name(path: str) -> str:
    """The file's stem, as Dagster has it, so that its classes pickle; never one that is taken."""
    name = os.path.splitext(os.path.basename(path))[0].replace(".", "_")
    while name in sys.modules:
        name += "_"
    return name


def no_divergence(changed: List[str], good: bool) -> None:
    """Of a fresh start: there is nothing that it could depart from."""


def load(settings: Settings, read: Read, known: AbstractSet[str], divergence: Judge) -> Outcome:
    """Runs user code on the calling thread; `read` fills while it does.

    `known`: the modules that were there before. `divergence(changed, good)` says whether a cold
    start may end otherwise, by what the load has changed and whether it went well.
    """
    began, since, reads, changes = perf_counter(), time(), VariableReads(), ProcessChanges()
    loader: Optional[str] = None
    definitions: List[Definition] = []
    lists: List[str] = []
    importing = 0.0
    problem: Optional[Dict[str, Any]] = None
    interpreter = InterpreterState()
    gone: List[str] = []
    leave = report_exits()
    try:
        try:
            module = import_target(settings)
        finally:
            gone = interpreter.restore()
        importing = perf_counter() - began
        loader, definitions = described(module, settings)
        definitions, lists = fitted(definitions)
        watch = read_beside(since)
    except BaseException as error:  # noqa: BLE001  sys.exit() and all else that code may raise
        gone += interpreter.restore_all()
        gone += allow_depth(error)
        problem, definitions = problem_of(error, settings, gone, list(read[0])), []
        watch = read_beside(since)
    leave()
    seconds, variables = perf_counter() - began, reads.end()
    digests, names = dict(read[0]), frozenset(read[1])  # other threads may go on importing
    changed = changes.names(reads.written, names)
    told = encoded(loader, lists, problem, digests, watch, python_version(), seconds)
    imports = {
        **imports_of(settings, known, names),
        "variables": variables,
        "changed": changed,
        "divergence": divergence(changed, problem is None),
        "seconds": seconds,
        "import_seconds": importing,
    }
    return Outcome(loader, definitions, problem, digests, seconds, *told, dumps(imports).encode())


def problem_of(
    error: BaseException, settings: LoadTarget, gone: List[str], files: List[str]
) -> Dict[str, Any]:
    """The problem; by its line alone where user code took apart what is needed for more."""
    try:
        from .problem import describe  # `traceback` costs milliseconds, and most loads are good

        return describe(error, settings, gone, files)
    except BaseException:  # noqa: BLE001  no memory, or no interpreter to speak of
        try:
            said = plain_summary(error, settings.working_directory)
        except BaseException:  # noqa: BLE001  as above
            said = exceptions.type_name(error)
        return {"kind": "load", "summary": said, "detail": said, "error": None, "missing": None}


def plain_summary(error: BaseException, working_directory: str) -> str:
    """The error and the innermost line of the location's own, with nothing imported for it."""
    said = ": ".join(filter(None, [exceptions.type_name(error), exceptions.message(error)[:500]]))
    place = ""
    for entry in exceptions.entries_of(exceptions.traceback_of(error)):
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
