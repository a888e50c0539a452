"""The import profile of a load: what a warm interpreter may share with it."""

from __future__ import annotations

import os
import sys

from .sources import BUNDLE, RUNNER, is_installed, is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import AbstractSet, Any, Container, Dict, List, Mapping, Optional, Set

    from ..process import Settings


SEARCH_PATH, MODULES = "sys.path", "sys.modules"


class ProcessChanges:
    """What a load changes that whatever is imported afterwards may see.

    Since this was made: variables by their names, `sys.path` and `sys.modules` by their own.
    """

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


MAPPINGS = ("os.py", "_collections_abc.py", "<frozen os>", "<frozen _collections_abc>")
"""Where `os.environ` itself is implemented."""
WRITING = (type(os.environ).__setitem__.__code__, type(os.environ).__delitem__.__code__)


class VariableReads:
    """Names that code other than the location's own asks `os.environ` for.

    Every look-up encodes its key, by a function that is an attribute of `os.environ`: replaced
    for a while, it tells them all, and user code sees the same object of the same class.
    `written` are those that the location's code sets or deletes, or has set for it, with what they
    were: what a package sets as it is imported is its own affair, and the same whenever it does.
    """

    __slots__ = ("_encode", "_environ", "_names", "written")

    def __init__(self) -> None:
        self._names: Set[str] = set()
        self.written: Dict[str, Optional[str]] = {}
        self._environ: Any = os.environ  # user code may put another in its place
        self._encode = self._environ.encodekey
        self._environ.encodekey = self._encoded

    def end(self) -> List[str]:
        self._environ.encodekey = self._encode
        return sorted(self._names)

    def _encoded(self, key: Any) -> Any:
        if isinstance(key, str):
            frame = sys._getframe(1)
            if frame.f_code in WRITING and not is_of_an_import(frame):
                self.written.setdefault(key, self._environ.get(key))
            if key not in self._names and not is_users(frame):
                self._names.add(key)
        return self._encode(key)


def is_users(frame: Optional[FrameType]) -> bool:
    """Whether a look-up comes from the location's own code, or from ours."""
    while frame is not None and frame.f_code.co_filename.endswith(MAPPINGS):
        frame = frame.f_back
    return is_own(frame.f_code.co_filename if frame is not None else "")


def is_of_an_import(frame: Optional[FrameType]) -> bool:
    """Whether it happens while a package is imported, by that package."""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and os.path.isabs(code.co_filename):
            return not is_own(code.co_filename)
        frame = frame.f_back
    return False


def is_own(file: str) -> bool:
    return file.startswith(RUNNER) or (os.path.isabs(file) and is_source(file))


OURS = __name__.partition(".")[0]
NEVER = frozenset({"__main__", "__mp_main__", OURS})


def imports_of(
    settings: Settings, known: AbstractSet[str], mentioned: AbstractSet[str]
) -> Dict[str, Any]:
    """What a load imported that is not the location's own.

    `modules` were imported by this load, in order; `named` are those of packages that the
    location's code names itself. A location that is an installed module is never shared.
    """
    own = "" if settings.kind == "python_file" else settings.value.partition(".")[0]
    added = [name for name in list(sys.modules) if name not in known]
    return {
        "modules": [name for name in added if is_shareable(name, own)],
        "named": [
            name for name in sorted(mentioned) if is_packaged(name) and is_shareable(name, own)
        ],
    }


def is_shareable(name: str, own: str) -> bool:
    first = name.partition(".")[0]
    if first in NEVER or first == own:
        return False
    places = origins(name)
    return bool(places) and not any(os.path.isabs(one) and is_source(one) for one in places)


def is_packaged(name: str) -> bool:
    return any(one.startswith(BUNDLE) or is_installed(one) for one in origins(name))


def origins(name: str) -> List[str]:
    """Where a module came from, its folders if it is but a namespace; [] if that is not known.

    Asked without setting off a lazy module, whose every attribute would import it.
    """
    module: Any = sys.modules.get(name)
    try:
        spec = object.__getattribute__(module, "__dict__").get("__spec__")
        if spec.origin is not None:
            return [str(spec.origin)]
        return [os.path.join(folder, "") for folder in spec.submodule_search_locations or ()]
    except Exception:  # noqa: BLE001  whatever user code has put there
        return []
