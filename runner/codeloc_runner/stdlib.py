"""The standard library, as the runner needs it and as the location's own modules replace it."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, List, Sequence

STANDARD_LIBRARY = os.path.dirname(os.__file__)
NEEDED_FOR_PROBLEMS = (
    "_colorize",
    "ast",
    "codecs",
    "collections",
    "contextlib",
    "copyreg",
    "enum",
    "functools",
    "itertools",
    "keyword",
    "linecache",
    "operator",
    "re",
    "textwrap",
    "token",
    "tokenize",
    "traceback",
    "types",
    "unicodedata",
)
"""What `traceback` imports, over all versions of Python. It is left for when it is needed."""


def roots(path: Sequence[str]) -> List[str]:
    """The entries of `sys.path` whose modules win over the standard library's."""
    before = []
    for entry in path:
        if os.path.basename(entry).endswith(".zip") or entry == STANDARD_LIBRARY:
            break
        before.append(entry)
    return before


def prepare(own: Sequence[str]) -> None:
    """Import now what would come from the location later, where its folders shadow it."""
    if any(is_shadowed(name, own) for name in NEEDED_FOR_PROBLEMS):
        from . import problem as problem


def release(known: AbstractSet[str], own: Sequence[str]) -> None:
    """Drop from `sys.modules` what the runner imported and the location's folders shadow.

    User code then gets its own `json.py`, as in plain Python. The runner keeps what it holds.
    """
    added = {name.partition(".")[0] for name in sys.modules if name not in known}
    for top in added:
        if is_replaceable(top) and is_shadowed(top, own):
            for name in [one for one in sys.modules if one.partition(".")[0] == top]:
                del sys.modules[name]


def is_replaceable(name: str) -> bool:
    """Built-in and frozen modules win over any folder."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and spec.has_location


def is_shadowed(name: str, own: Sequence[str]) -> bool:
    """Whether a module or regular package of that name lies in one of the folders."""
    spec = PathFinder.find_spec(name, list(own))
    return spec is not None and spec.has_location
