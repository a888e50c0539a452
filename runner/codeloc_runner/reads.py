"""Which environment variables packages look at, and which the location's code sets for them."""

from __future__ import annotations

import os
import sys

from .frames import RUNNER
from .sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Dict, List, Optional, Set

MAPPINGS = ("os.py", "_collections_abc.py", "<frozen os>", "<frozen _collections_abc>")
"""Where `os.environ` itself is implemented."""
WRITING = (type(os.environ).__setitem__.__code__, type(os.environ).__delitem__.__code__)


class Reads:
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
