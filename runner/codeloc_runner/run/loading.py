"""Loads the code that is served, for a process that calls it, and tells how that failed."""

from __future__ import annotations

import sys

from ..load.damage import InterpreterState, allow_depth
from ..load.exceptions import LoadFailure
from ..load.location import import_target
from ..loaders import find
from ..process import say
from .native import UsageFailure
from .steps import described

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, List, Optional

    from .cancelling import CancelGuard
    from .code import ServedCode
    from .order import CodeOrder


LONGEST = 300
"""Characters of a summary; the whole text is beside it."""
LEFT_SECONDS = 5.0
"""For threads that user code has left, before it is said that they are waited for."""


def failure(
    error: BaseException, order: CodeOrder, printed: Optional[BaseException] = None
) -> Dict[str, Any]:
    """`state`, `why`, `summary` and `problem` of what an exception ended. `printed`: one that is in
    the output already; any other is printed, too."""
    if isinstance(error, UsageFailure):
        say(f"codelocd: {error}")
        return {"state": "failed", "why": error.why, **in_a_line(str(error))}
    why = "load" if isinstance(error, (LoadError, LoadFailure)) else "exception"
    problem = described(error.__cause__ or error, order, "load" if why == "load" else "run")
    if error is not printed:
        say(problem["detail"])
    return {"state": "failed", "why": why, "summary": problem["summary"], "problem": problem}


def in_a_line(text: str) -> Dict[str, Any]:
    """`summary` and `problem` of what is known by its text alone, which may be long."""
    summary = " ".join(text.split())
    if summary == text and len(text) <= LONGEST:
        return {"summary": text, "problem": None}
    if len(summary) > LONGEST:
        summary = f"{summary[: LONGEST - 1]}…"
    problem = {"kind": "run", "summary": summary, "detail": text, "error": None, "missing": None}
    return {"summary": summary, "problem": problem}


class LoadError(Exception):
    """User code that could not be loaded; its cause is the exception itself."""


class ProcessCode:
    """What a process calls: the loader by name, the module, and the objects in it with the
    definitions."""

    def __init__(self, loader: str, module: ModuleType, targets: List[Any]) -> None:
        self.loader = loader
        self.module = module
        self.targets = targets


def loaded(order: CodeOrder, served: ServedCode, guard: CancelGuard) -> ProcessCode:
    """Raises LoadError."""
    interpreter = InterpreterState()

    def load() -> ProcessCode:
        module = import_target(order, served.has)
        name, _, targets = find(module, order)
        return ProcessCode(name, module, targets)

    try:
        found: ProcessCode = guard.call(load)
    except BaseException as error:
        interpreter.restore_all()
        allow_depth(error)
        raise LoadError from error
    interpreter.restore()
    return found


def end_threads() -> None:
    """Wait for those that user code left behind, as the interpreter does at its end."""
    threading: Any = sys.modules.get("threading")
    if threading is None:
        return
    if not threads_left(threading):
        threading._shutdown()
        return
    telling = threading.Timer(LEFT_SECONDS, tell_left, [threading])
    telling.daemon = True
    telling.start()
    try:
        threading._shutdown()
    finally:
        telling.cancel()


def threads_left(threading: Any) -> List[str]:
    """Names of those by which the interpreter would go on."""
    main = threading.main_thread()
    return [each.name for each in threading.enumerate() if each is not main and not each.daemon]


def tell_left(threading: Any) -> None:
    names = ", ".join(threads_left(threading))
    if names:
        say(f"codelocd: waits for threads that the code has left: {names}")


def memory_peak() -> Optional[int]:
    """Bytes. On Linux a fork begins with what the process had that it is a fork of."""
    try:
        from resource import RUSAGE_SELF, getrusage  # at the end, where it delays nothing
    except (ImportError, OSError):  # OSError: where no descriptor is left
        return None
    return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
