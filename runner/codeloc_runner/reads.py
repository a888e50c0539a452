"""Which environment variables imported packages look at: they may decide what is imported."""

from __future__ import annotations

import os
import sys

from .frames import RUNNER
from .sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, List, Optional, Set

MAPPINGS = ("os.py", "_collections_abc.py", "<frozen os>", "<frozen _collections_abc>")
"""Where `os.environ` itself is implemented."""


class Reads:
    """Names that code other than the location's own asks `os.environ` for.

    Every look-up encodes its key, by a function that is an attribute of `os.environ`: replaced
    for a while, it tells them all, and user code sees the same object of the same class.
    """

    __slots__ = ("_encode", "_names")

    def __init__(self) -> None:
        self._names: Set[str] = set()
        environ: Any = os.environ
        self._encode = environ.encodekey
        environ.encodekey = self._encoded

    def end(self) -> List[str]:
        environ: Any = os.environ
        environ.encodekey = self._encode
        return sorted(self._names)

    def _encoded(self, key: Any) -> Any:
        if isinstance(key, str) and key not in self._names and not is_users(sys._getframe(1)):
            self._names.add(key)
        return self._encode(key)


def is_users(frame: Optional[FrameType]) -> bool:
    """Whether a look-up comes from the location's own code, or from ours."""
    while frame is not None and frame.f_code.co_filename.endswith(MAPPINGS):
        frame = frame.f_back
    file = frame.f_code.co_filename if frame is not None else ""
    return file.startswith(RUNNER) or (os.path.isabs(file) and is_source(file))
