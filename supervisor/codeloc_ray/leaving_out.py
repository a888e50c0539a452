"""What is no part of a location's code: as the daemon's watch sees it, by its rules."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any


class LeftOut:
    """The globs `ignore` of a location with this working directory, and what never counts."""

    def __init__(self, directory: str, ignore: Sequence[str], codelocd: str) -> None:
        """`codelocd`: the folder of the daemon's package."""
        self._patterns = _patterns(codelocd)
        self._ignored = self._patterns.Ignored(directory, ignore)

    def environment(self, names: Sequence[str]) -> bool:
        return not self._patterns.ENVIRONMENT_MARKS.isdisjoint(names)

    def file(self, path: str) -> bool:
        name = os.path.basename(path)
        return bool(self._patterns.is_leftover(name) or self._ignored.file(path))

    def folder(self, path: str) -> bool:
        return os.path.basename(path) in self._patterns.NEVER or bool(self._ignored.folder(path))


def _patterns(codelocd: str) -> Any:
    """The daemon's module, which the standard library is enough for. Its environment, which may be
    another Python's, is on the path for this import alone."""
    place = os.path.dirname(codelocd)
    sys.path.append(place)
    try:
        from codelocd.watch import patterns
    finally:
        sys.path.remove(place)
    return patterns
