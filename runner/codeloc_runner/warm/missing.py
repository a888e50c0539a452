"""Modules that packages look for in vain where a location's own folders are not searched."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Optional, Sequence, Set


class Missing:
    """A finder that finds nothing, asked last: what comes to it has been found by nobody."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        self.names: Set[str] = set()
        sys.meta_path.append(self)

    def end(self) -> Set[str]:
        """Top-level names. Some packages have their own idea of who may stand in the list."""
        finders: Any = sys.meta_path
        finders[:] = [finder for finder in finders if finder is not self]
        return self.names

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if path is None:
            self.names.add(fullname)
        return None
