"""What became of the one load of a runner."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional

    Definition = Dict[str, Any]

KINDS = ("asset", "asset_check", "job", "resource", "schedule", "sensor")


class Outcome:
    """Definitions in the contract's shape, or a problem; and what was read on the way.

    `sources` maps absolute paths to digests of the bytes that were compiled. `body` is the whole
    of it as JSON: it travels as one MessagePack `bin`, ten times quicker than packed here.
    `imports`, JSON too, is what a warm interpreter could have imported for it.
    """

    __slots__ = ("body", "definitions", "imports", "loader", "problem", "seconds", "sources")

    def __init__(
        self,
        loader: Optional[str],
        definitions: List[Definition],
        problem: Optional[Mapping[str, Any]],
        sources: Mapping[str, str],
        seconds: float,
        body: bytes,
        imports: bytes,
    ) -> None:
        self.loader = loader
        self.definitions = definitions
        self.problem = problem
        self.sources = sources
        self.seconds = seconds
        self.body = body
        self.imports = imports

    def counts(self) -> Dict[str, int]:
        """How many definitions of each kind."""
        counts: Dict[str, int] = dict.fromkeys(KINDS, 0)
        for definition in self.definitions:
            counts[definition["kind"]] += 1
        return counts
