"""What a load changes in its process that whatever is imported afterwards may see."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Container, List, Mapping, Optional

SEARCH_PATH, MODULES = "sys.path", "sys.modules"


class Changes:
    """Since it was made: variables by their names, `sys.path` and `sys.modules` by their own."""

    __slots__ = ("_path",)

    def __init__(self) -> None:
        self._path = list(sys.path)

    def names(self, written: Mapping[str, Optional[str]], used: Container[str]) -> List[str]:
        """`written`: the variables that were set or deleted, if only for a while, with what they
        were; `used`: the names in the location's code. `sys.modules` is named where that may have
        been changed.
        """
        changed = [name for name in sorted(written) if os.environ.get(name) != written[name]]
        if sys.path != self._path:
            changed.append(SEARCH_PATH)
        return [*changed, MODULES] if "modules" in used else changed
