"""Functions that imports register for the end of the process, and for its forks."""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Set

REMOVERS = frozenset({"removedirs", "rmdir", "rmtree", "unlink"})
"""What ends a file or folder, as `os`, `shutil` and `pathlib` call it."""


class Hooks:
    """Who registered how many, while it listens; neither can be listed afterwards.

    A runner inherits both kinds. What runs at the end of a process does so at each runner's, as
    after a cold start, and never at a fork server's, which leaves by `os._exit`; what runs at a
    fork was made for one. But what removes files at the end would remove its siblings', too.
    """

    __slots__ = ("_at_exit", "_at_fork", "at_exit", "at_fork", "removing")

    def __init__(self) -> None:
        self.at_exit: Dict[str, int] = {}
        self.at_fork: Dict[str, int] = {}
        self.removing: List[str] = []
        self._at_exit: Any = atexit.register
        self._at_fork: Any = os.register_at_fork
        replace(self._exit_registered, self._fork_registered)

    def end(self) -> None:
        replace(self._at_exit, self._at_fork)

    def removals(self) -> List[str]:
        """Who removes files when the process ends; `weakref.finalize` registers but once itself."""
        return self.removing + list(finalizers())

    def _exit_registered(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        registered = self._at_exit(function, *args, **kwargs)
        who = count(self.at_exit)
        if removes(function):
            self.removing.append(who)
        return registered

    def _fork_registered(self, **functions: Any) -> None:
        self._at_fork(**functions)
        count(self.at_fork)


def replace(at_exit: Any, at_fork: Any) -> None:
    registry: Any = atexit
    registry.register = at_exit
    system: Any = os
    system.register_at_fork = at_fork


def count(hooks: Dict[str, int]) -> str:
    """One more of the module that called the one that calls this."""
    frame = sys._getframe(2)
    who = str(frame.f_globals.get("__name__") or frame.f_code.co_filename)
    hooks[who] = hooks.get(who, 0) + 1
    return who


def finalizers() -> Iterator[str]:
    finalize: Any = getattr(sys.modules.get("weakref"), "finalize", None)
    for info in list(getattr(finalize, "_registry", {}).values()):
        if info.atexit and removes(info.func):
            yield str(getattr(info.func, "__module__", "weakref"))


def removes(function: Any) -> bool:
    """As far as its name and its own code show."""
    function = getattr(function, "func", function)
    return function is os.remove or not REMOVERS.isdisjoint(names(function))


def names(function: Any) -> Set[str]:
    """Its own, and those that its code mentions."""
    code = getattr(function, "__code__", None)
    own = str(getattr(function, "__name__", type(function).__name__)).lstrip("_")
    return {own, *(name.lstrip("_") for name in getattr(code, "co_names", ()))}
