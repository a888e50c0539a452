"""Puts back what user code took away from its interpreter during the load, and reports it.

Code that empties `sys.modules`, or deletes a built-in function, takes it from the runner too.
"""

from __future__ import annotations

import builtins
import os
import sys

from .sources import is_ours, is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List


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


class InterpreterState:
    """As they are before user code is imported."""

    __slots__ = (
        "_builtins",
        "_environ",
        "_finders",
        "_hooks",
        "_modules",
        "_names",
        "_path",
        "_sys",
    )

    def __init__(self) -> None:
        self._names: Any = vars(builtins)
        self._builtins: Dict[str, Any] = dict(self._names)
        self._sys = sys
        kept = [n for n in list(sys.modules) if n in MODULES or n.partition(".")[0] == OURS]
        self._modules = {name: sys.modules[name] for name in kept}
        self._path = list(sys.path)
        self._finders = list(sys.meta_path)
        self._hooks = list(sys.path_hooks)
        self._environ = os.environ if os.environ else None

    def restore(self) -> List[str]:
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

    def restore_all(self) -> List[str]:
        """Also what was replaced, and what imports need: after a failed load, which has to be told.

        Nothing built in is used before all of it is back.
        """
        gone = self.restore()
        there = self._names
        for name, value in self._builtins.items():
            there[name] = value
        if HOME not in list_of_sys("path"):
            sys.path = [*list_of_sys("path"), *self._path]
            gone.append("sys.path")
        for name, needed in (("meta_path", self._finders), ("path_hooks", self._hooks)):
            found = list_of_sys(name)
            lost = [one for one in needed if one not in found]
            if lost:
                setattr(sys, name, [*found, *lost])
                sys.path_importer_cache = {}
                gone.append("sys." + name)
        if self._environ is not None:
            os.environ = self._environ  # noqa: B003  the object that the process has
            if not self._environ:
                gone.append("os.environ")
        return gone


def list_of_sys(name: str) -> List[Any]:
    """A list of `sys`, empty where user code has put something else in its place."""
    found = getattr(sys, name, None)
    return found if type(found) is list else []


def allow_depth(error: BaseException) -> List[str]:
    """Make room for what has to be told; says who left hardly any, where that was the error."""
    limit = sys.getrecursionlimit()
    if limit >= RECURSION:
        return []
    sys.setrecursionlimit(RECURSION)
    return [f"sys.setrecursionlimit({limit})"] if type(error) is RecursionError else []


FRAMES = 10
STANDARD_ERROR = 2
"""The descriptor of standard error, whatever `sys.stderr` is by now."""


def report_exits() -> Callable[[], None]:
    """From now on `os._exit` prints the location's lines that led to it, until it is told to end.

    Afterwards nothing else could tell them. A process that user code forked says nothing.
    """
    end, own, write, whose = os._exit, os.getpid(), os.write, os.getpid

    def _exit(status: int) -> None:
        if whose() == own:
            lines = location_stack()
            if lines:
                text = "\n".join([f"os._exit({status}) was called:", *lines, ""])
                try:  # noqa: SIM105  contextlib would cost milliseconds
                    write(STANDARD_ERROR, text.encode("utf-8", "replace"))
                except OSError:
                    pass
        end(status)

    def leave() -> None:
        if os._exit is _exit:
            os._exit = end

    os._exit = _exit  # type: ignore[assignment]  # it returns as little as the other
    return leave


def location_stack() -> List[str]:
    """The innermost first, as Python's own fault handler has it."""
    lines: List[str] = []
    frame = sys._getframe(2)
    while frame is not None and len(lines) < FRAMES:
        code = frame.f_code
        if not is_ours(code.co_filename) and is_source(code.co_filename):
            lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}')
        frame = frame.f_back  # type: ignore[assignment]
    return lines
