"""Import what a location names: a file, a module or a package."""

from __future__ import annotations

import os
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import SourceFileLoader, spec_from_file_location

from .exposed import hand_down_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from .settings import Settings


class LoadFailure(Exception):
    """What is wrong with a location, where no exception of user code says it already."""


def import_target(settings: Settings) -> ModuleType:
    """Raises LoadFailure, or whatever user code raises: any BaseException."""
    if settings.kind == "python_file":
        return import_file(settings.value)
    try:
        return imported(settings.value)
    except ModuleNotFoundError as error:
        if not f"{settings.value}.".startswith(f"{error.name}."):
            raise
        raise LoadFailure(
            f"no module {error.name!r} in the working directory {settings.working_directory} or in"
            f" the environment {sys.prefix}; correct the name, or set working_directory"
        ) from None


def imported(name: str) -> ModuleType:
    """As an import statement does it: `importlib` would show in tracebacks, and costs time."""
    __import__(name)
    return sys.modules[name]


def import_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise LoadFailure(f"no file {path}; correct python_file, or create it")
    name = module_name(path)
    spec = spec_from_file_location(name, path, loader=SourceFileLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    hand_down_module(name, path)
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
