"""What a warm interpreter holds for the runners that it becomes."""

from __future__ import annotations

import sys

from .stamps import Stamps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import AbstractSet, List, Mapping, Sequence, Tuple

    from .channel import Channel


class Warmth:
    """`first` and `path`: their `sys.path` before and after what is the location's; `known`: what
    every interpreter imports by itself; `added`: the variables that imports have set; `modules`:
    what there is to share, `packages`: their top-level names, without `known`; `missing`: those
    that were looked for in vain; `read`: the variables that imports have asked for, `decisive`:
    how those begin that libraries in C may have read; `shared`: the modules themselves; `failed`:
    those whose import did. `channel` is its own alone.
    """

    __slots__ = (
        "added",
        "channel",
        "decisive",
        "failed",
        "first",
        "known",
        "missing",
        "modules",
        "packages",
        "path",
        "read",
        "shared",
        "stamps",
    )

    def __init__(self, channel: Channel, path: List[str], known: AbstractSet[str]) -> None:
        self.channel = channel
        self.first: List[str] = []
        self.path = path
        self.known = known
        self.stamps = Stamps(path)
        self.added: Mapping[str, str] = {}
        self.modules: AbstractSet[str] = frozenset()
        self.missing: AbstractSet[str] = frozenset()
        self.packages: AbstractSet[str] = frozenset()
        self.read: AbstractSet[str] = frozenset()
        self.decisive: Tuple[str, ...] = ()
        self.failed: Sequence[str] = ()
        self.shared: Mapping[str, ModuleType] = {}

    def adopt_path(self) -> None:
        """With what imports have put there: before everything, or anywhere behind."""
        start = next((i for i, entry in enumerate(sys.path) if entry in self.path), len(sys.path))
        self.first, self.path = sys.path[:start], sys.path[start:]
