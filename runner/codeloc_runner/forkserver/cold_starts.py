"""Finds the reasons for which a runner has to start cold although a warm interpreter is ready."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

from .. import standard_library
from ..load.import_profile import MODULES, SEARCH_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

    from .preload import Preloaded


READ_THERE = {"matplotlib": "matplotlibrc"}
"""Package → the file that its import reads from the working directory, if there is one
(`matplotlib.matplotlib_fname`)."""


def reason_for_all(preloaded: Preloaded) -> Optional[str]:
    """What no longer is what was preloaded: every runner would have to start cold."""
    changed = preloaded.stamps.changed()
    return changed and f"{changed} has changed since it was preloaded"


def reason_for_one(directory: str, path: Sequence[str], preloaded: Preloaded) -> Optional[str]:
    """What stands in the way of one process with that `sys.path`; enters its working directory."""
    why = replacement(path, preloaded)
    if why is not None:
        return why
    try:
        os.chdir(directory)
    except OSError as error:
        return str(error)
    for package, file in READ_THERE.items():
        if package in preloaded.packages and os.path.exists(file):
            return f"{package} reads {file} from the working directory as it is imported"
    return None


def replacement(path: Sequence[str], preloaded: Preloaded) -> Optional[str]:
    """What packages would have imported from the location's own folders in a cold start."""
    own = standard_library.entries_before(path)
    there = standard_library.names_in(own)
    name = shadowed(own, there, preloaded)
    if name is not None:
        return f"its own {name} stands before the module {name} of the environment"
    for name in sorted(there & preloaded.missing):
        if standard_library.is_shadowed(name, own):
            return f"packages look for a module {name} as they are imported, and find its own"
    return None


def shadowed(own: List[str], there: Set[str], preloaded: Preloaded) -> Optional[str]:
    """A shared module that the location's folders would replace in a cold start; `there` is in
    them.
    """
    for name in sorted(there & preloaded.packages):
        if standard_library.is_replaceable(name) and is_another(name, own):
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


def divergence(changed: List[str], good: bool, preloaded: Preloaded) -> Optional[Dict[str, str]]:
    """The first cause why a cold start may end otherwise: `what`, and `why` as a sentence.

    Whether the load did it before or after its imports does not show.
    """
    for what, why in causes(changed, good, preloaded):
        return {"what": what, "why": why}
    return None


def causes(changed: List[str], good: bool, preloaded: Preloaded) -> Iterator[Tuple[str, str]]:
    for name in changed:
        if name in preloaded.read or name.startswith(preloaded.decisive):
            yield name, f"it sets the variable {name}, which packages read as they are imported"
    if SEARCH_PATH in changed:
        why = replacement([entry for entry in sys.path if isinstance(entry, str)], preloaded)
        if why is not None:
            yield SEARCH_PATH, f"it changes sys.path, and {why}"
    if MODULES in changed:  # to look at all would copy the memory that they lie in
        for name in replaced(preloaded):
            yield MODULES, f"it puts another module in the place of {name}"
    for name in preloaded.failed:
        if name in sys.modules or not good:
            yield name, f"{name} cannot be imported before its code"


def replaced(preloaded: Preloaded) -> Iterator[str]:
    for name, module in preloaded.shared.items():
        if sys.modules.get(name, module) is not module:
            yield name
