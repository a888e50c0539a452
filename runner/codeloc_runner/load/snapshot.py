"""The outcome of a load as JSON, for the daemon's registry."""

from __future__ import annotations

from ..wire.json_values import CharacterBudget, copied, dumps, kept
from .exceptions import LoadFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Tuple

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


ROOMY = 24 * 1024 * 1024
"""Characters of all definitions from which on what people wrote beside them is cut further."""
LARGEST = 56 * 1024 * 1024
"""Characters that still travel in one message, with the paths of the sources."""
ELEMENT = 14
"""Characters that each value counts for at least: the daemon's clients take 4 Mi of values in one
message, and a list of small numbers has more of them than characters tell."""
TEXTS = ("description", "metadata", "op_tags", "run_tags", "tags")
"""Of a definition: what may be cut without making it another one."""
TRIES = 3
"""At what is left to each text, since a character may take twelve when it is escaped."""


def fitted(definitions: List[Definition]) -> Tuple[List[Definition], str]:
    """The definitions, and the JSON list of them, small enough to travel. Raises LoadFailure."""
    pieces = [dumps(one) for one in definitions]
    if sum(map(weight, pieces)) > ROOMY:
        share = ROOMY // len(pieces)
        definitions = [
            one if weight(piece) <= share else cut(one, weight(piece), share)
            for one, piece in zip(definitions, pieces)
        ]
        pieces = [dumps(one) for one in definitions]
    size = sum(map(weight, pieces))
    if size > LARGEST:
        raise LoadFailure(too_big(size, definitions, pieces))
    return definitions, f"[{','.join(pieces)}]"


def weight(piece: str) -> int:
    """Of JSON: its characters, or what its values count for: each but the first of an array or
    object follows a comma. The daemon adds one, the location."""
    containers = piece.count("[") + piece.count("{") - piece.count("[]") - piece.count("{}")
    return max(len(piece), (piece.count(",") + containers + 1) * ELEMENT)


def cut(definition: Definition, size: int, share: int) -> Definition:
    """One whose texts share the room that the rest of it leaves; its weight is `size` now."""
    texts = {name: definition[name] for name in TEXTS if definition.get(name)}
    if not texts:
        return definition
    count = sum(len(one) if isinstance(one, dict) else 1 for one in texts.values())
    bare = size - sum(weight(dumps(one)) for one in texts.values())
    room = max(share - bare, 0) // max(count, 1)
    for _ in range(TRIES):
        definition = {**definition, **{name: shorter(one, room) for name, one in texts.items()}}
        size = weight(dumps(definition))
        if size <= share:
            break
        room = room * share // size
    return definition


def shorter(texts: Any, room: int) -> Any:
    if isinstance(texts, dict):
        return {name: copied(one, CharacterBudget(room)) for name, one in texts.items()}
    return kept(texts, CharacterBudget(room))


def too_big(size: int, definitions: List[Definition], pieces: List[str]) -> str:
    length, number = max((weight(piece), number) for number, piece in enumerate(pieces))
    one = definitions[number]
    name = kept(one["name"], CharacterBudget(200))
    return (
        f"the {len(pieces)} definitions take {megabytes(size)} as JSON, and {megabytes(LARGEST)} is"
        f" the most that one location can have, although all metadata was cut; the biggest is"
        f" {one['kind']} {name} with {megabytes(length)}:"
        " split the location in two"
    )


def megabytes(characters: int) -> str:
    return f"{characters / 2**20:.1f} MiB"


def encoded(
    loader: Optional[str],
    listed: str,
    problem: Optional[Mapping[str, Any]],
    sources: Mapping[str, str],
    watch: List[str],
    python: str,
    seconds: float,
) -> bytes:
    """`listed`: definitions as they are in the contract, but for `location`; or the problem.

    `watch`: globs of what else was read.
    """
    told = {"sources": sources, "watch": watch, "python": python, "load_seconds": seconds}
    common = dumps(told)
    if problem:
        return f'{{"problem":{dumps(problem)},{common[1:]}'.encode()
    return f'{{"loader":{dumps(loader)},"definitions":{listed},{common[1:]}'.encode()
