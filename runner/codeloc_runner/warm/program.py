"""A module of the environment in a fork, run as `python -m MODULE ARGUMENTS` runs it."""

from __future__ import annotations

import sys

from .. import exposed, main, sources
from . import fresh
from .acceptance import accepted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from .acceptance import Verdict
    from .warmth import Warmth


def become(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, verdict: Verdict) -> None:
    """Live as the program that was ordered; returns only where it has to refuse.

    Descriptors before the last three are the program's to hold, and to do nothing with.
    """
    directory, module, arguments = order["directory"], order["module"], order["arguments"]
    path = [directory, *warmth.path]
    if not accepted(directory, path, descriptors[-3:], warmth, verdict):
        return
    fresh.arrange(["-m", module, *arguments], order["variables"], warmth.added, since=1)
    exposed.withdraw()
    sources.read_fresh()
    sys.path[:] = [*warmth.first, *path]
    sys.argv[:] = [module, *arguments]
    end(status_of(module))


def status_of(module: str) -> int:
    """Run it to its end; its exit status."""
    from runpy import run_module  # not before: a runner has no use for it

    try:
        run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as left:
        return said(left.code)
    except BaseException as error:  # noqa: BLE001  shown as the interpreter shows it
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def said(code: Any) -> int:
    """The exit status that `sys.exit(code)` means."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def end(status: int) -> None:
    """As the interpreter ends, its threads first; but what is shared is left as it is."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    main.leave(status)
