"""What a load changes in its process that whatever is imported afterwards may see."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

SEARCH_PATH = "sys.path"


class Changes:
    """Since it was made: variables by their names, and `sys.path` by its own."""

    __slots__ = ("_path", "_variables")

    def __init__(self) -> None:
        self._variables = dict(os.environ)
        self._path = list(sys.path)

    def names(self) -> List[str]:
        now = dict(os.environ)
        both = sorted({*now, *self._variables})
        changed = [name for name in both if now.get(name) != self._variables.get(name)]
        return changed if sys.path == self._path else [*changed, SEARCH_PATH]
