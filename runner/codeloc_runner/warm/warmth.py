"""What a warm interpreter holds for the runners that it becomes."""

from __future__ import annotations

from .stamps import Stamps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, List, Mapping

    from .channel import Channel


class Warmth:
    """`path`: their `sys.path`; `known`: what every interpreter imports by itself; `added`: the
    variables that imports have set; `modules`: what there is to share, `packages`: their top-level
    names, without `known`. `channel` is its own alone.
    """

    __slots__ = ("added", "channel", "known", "modules", "packages", "path", "stamps")

    def __init__(self, channel: Channel, path: List[str], known: AbstractSet[str]) -> None:
        self.channel = channel
        self.path = path
        self.known = known
        self.stamps = Stamps(path)
        self.added: Mapping[str, str] = {}
        self.modules: AbstractSet[str] = frozenset()
        self.packages: AbstractSet[str] = frozenset()
