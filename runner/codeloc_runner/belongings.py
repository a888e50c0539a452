"""What of Python itself the runner still needs once user code has been imported.

Code that empties `sys.modules`, or deletes a built-in function, takes it from us too.
"""

from __future__ import annotations

import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

OURS = __name__.partition(".")[0]
HOME = os.path.dirname(os.__file__)
RECURSION = 1000
"""Python's own limit."""
MODULES = (
    "_frozen_importlib",
    "_frozen_importlib_external",
    "_imp",
    "_io",
    "_thread",
    "_warnings",
    "_weakref",
    "abc",
    "builtins",
    "codecs",
    "encodings",
    "encodings.aliases",
    "encodings.utf_8",
    "io",
    "marshal",
    "os",
    "os.path",
    "posix",
    "posixpath",
    "stat",
    "sys",
    "time",
    "zipimport",
)
"""A second copy of one of these would not be the interpreter's own."""


class Belongings:
    """As they are before user code is imported."""

    __slots__ = ("_builtins", "_modules", "_names", "_path", "_sys")

    def __init__(self) -> None:
        self._names: Any = vars(builtins)
        self._builtins: Dict[str, Any] = dict(self._names)
        self._sys = sys
        kept = [n for n in list(sys.modules) if n in MODULES or n.partition(".")[0] == OURS]
        self._modules = {name: sys.modules[name] for name in kept}
        self._path = list(sys.path)

    def mend(self) -> List[str]:
        """Put back what is missing; says what that was. What was replaced is the user's choice.

        Nothing built in is used before all of it is back.
        """
        gone: List[str] = []
        there = self._names
        for name, value in self._builtins.items():
            if name not in there:
                there[name] = value
                gone.append("builtins." + name)
        modules = self._sys.modules
        if modules.get("sys") is not self._sys:
            modules.update(self._modules)
            gone.append("sys.modules")
        return gone

    def mend_search(self) -> List[str]:
        """The same of `sys.path`, without which nothing of the standard library is imported."""
        entries: Any = sys.path
        if type(entries) is list and HOME in entries:
            return []
        sys.path = [*(entries if type(entries) is list else ()), *self._path]
        return ["sys.path"]


def allow_depth(error: BaseException) -> List[str]:
    """Make room for what has to be told; says who left hardly any, where that was the error."""
    limit = sys.getrecursionlimit()
    if limit >= RECURSION:
        return []
    sys.setrecursionlimit(RECURSION)
    return [f"sys.setrecursionlimit({limit})"] if type(error) is RecursionError else []
