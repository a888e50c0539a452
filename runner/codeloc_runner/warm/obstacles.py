"""Why a runner has to start cold although there is a warm interpreter for it."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

from .. import stdlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Sequence, Set

    from .warmth import Warmth


READ_THERE = {"matplotlib": "matplotlibrc"}
"""Package → the file that its import reads from the working directory, if there is one
(`matplotlib.matplotlib_fname`)."""


def outdated(warmth: Warmth) -> Optional[str]:
    """What no longer is what was preloaded: every runner would have to start cold."""
    changed = warmth.stamps.changed()
    return changed and f"{changed} has changed since it was preloaded"


def obstacle(directory: str, path: Sequence[str], warmth: Warmth) -> Optional[str]:
    """What stands in the way of one process with that `sys.path`; enters its working directory."""
    why = replacement(path, warmth)
    if why is not None:
        return why
    try:
        os.chdir(directory)
    except OSError as error:
        return str(error)
    for package, file in READ_THERE.items():
        if package in warmth.packages and os.path.exists(file):
            return f"{package} reads {file} from the working directory as it is imported"
    return None


def replacement(path: Sequence[str], warmth: Warmth) -> Optional[str]:
    """What packages would have imported from the location's own folders in a cold start."""
    own = stdlib.roots(path)
    there = {name.partition(".")[0] for folder in own for name in listed(folder)}
    name = shadowed(own, there, warmth)
    if name is not None:
        return f"its own {name} stands before the module {name} of the environment"
    for name in sorted(there & warmth.missing):
        if stdlib.is_shadowed(name, own):
            return f"packages look for a module {name} as they are imported, and find its own"
    return None


def shadowed(own: List[str], there: Set[str], warmth: Warmth) -> Optional[str]:
    """A shared module that the location's folders would replace in a cold start; `there` is in
    them.
    """
    for name in sorted(there & warmth.packages):
        if stdlib.is_replaceable(name) and is_another(name, own):
            return name
    return None


def is_another(name: str, own: List[str]) -> bool:
    """Whether the folders hold a module of that name other than the one that was imported.

    Or a part of it: a folder without `__init__.py`, where the package gathers its parts.
    """
    spec = PathFinder.find_spec(name, own)
    imported: Any = sys.modules[name].__spec__
    if spec is None:
        return False
    if spec.has_location and spec.origin != imported.origin:
        return True
    return imported.has_location and is_extended(name, own, imported.origin)


def is_extended(name: str, own: List[str], file: str) -> bool:
    """Whether a package calls `pkgutil.extend_path`, which searches `sys.path` but once, and would
    find something in the folders.
    """
    home = os.path.dirname(file)
    places = (os.path.join(folder, name) for folder in own)
    if not any(place != home and os.path.isdir(place) for place in places):
        return False
    try:
        with open(file, "rb") as opened:
            return b"extend_path" in opened.read()
    except OSError:
        return False


def listed(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
