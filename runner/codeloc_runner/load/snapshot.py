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
    of it as JSON: it travels as one MessagePack `bin`, ten times quicker than packed here. Where
    that is large, it lacks the definitions, and `lists` has these: JSON lists, none of which is.
    `imports`, JSON too, is what a warm interpreter could have imported for it.
    """

    __slots__ = (
        "body",
        "definitions",
        "imports",
        "lists",
        "loader",
        "problem",
        "seconds",
        "sources",
    )

    def __init__(
        self,
        loader: Optional[str],
        definitions: List[Definition],
        problem: Optional[Mapping[str, Any]],
        sources: Mapping[str, str],
        seconds: float,
        body: bytes,
        lists: List[bytes],
        imports: bytes,
    ) -> None:
        self.loader = loader
        self.definitions = definitions
        self.problem = problem
        self.sources = sources
        self.seconds = seconds
        self.body = body
        self.lists = lists
        self.imports = imports

    def whole(self) -> bytes:
        """The body with all definitions in it."""
        if not self.lists:
            return self.body
        listed = b",".join([each[1:-1] for each in self.lists])
        return b'%b,"definitions":[%b]}' % (self.body[:-1], listed)

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
ONE = 3 * 1024 * 1024
"""Of one definition: the daemon decodes it in one go, and refuses more than 4 MiB."""
LIST = 256 * 1024
"""Of definitions that are decoded together, where there is more than one."""
ELEMENT = 14
"""Characters that each value counts for at least: the daemon's clients take 4 Mi of values in one
message, and a list of small numbers has more of them than characters tell."""
TEXTS = ("description", "metadata", "op_tags", "run_tags", "tags")
"""Of a definition: what may be cut without making it another one."""
TRIES = 3
"""At what is left to each text, since a character may take twelve when it is escaped."""


def fitted(definitions: List[Definition]) -> Tuple[List[Definition], List[str]]:
    """The definitions, and JSON lists of them, small enough to travel. Raises LoadFailure."""
    pieces = [dumps(one) for one in definitions]
    share = ONE if sum(map(weight, pieces)) <= ROOMY else min(ROOMY // len(pieces), ONE)
    if any(weight(piece) > share for piece in pieces):
        definitions = [
            one if weight(piece) <= share else cut(one, weight(piece), share)
            for one, piece in zip(definitions, pieces)
        ]
        pieces = [dumps(one) for one in definitions]
    size = sum(map(weight, pieces))
    if size > LARGEST:
        raise LoadFailure(too_big(size, definitions, pieces))
    if any(weight(piece) > ONE for piece in pieces):
        raise LoadFailure(one_too_big(definitions, pieces))
    return definitions, in_lists(pieces)


def in_lists(pieces: List[str]) -> List[str]:
    lists: List[str] = []
    together: List[str] = []
    size = 0
    for piece in pieces:
        if together and size + len(piece) > LIST:
            lists.append(f"[{','.join(together)}]")
            together, size = [], 0
        together.append(piece)
        size += len(piece)
    return [*lists, f"[{','.join(together)}]"]


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
    name, length = biggest(definitions, pieces)
    return (
        f"the {len(pieces)} definitions take {megabytes(size)} as JSON, and {megabytes(LARGEST)} is"
        f" the most that one location can have, although all metadata was cut; the biggest is"
        f" {name} with {megabytes(length)}:"
        " split the location in two"
    )


def one_too_big(definitions: List[Definition], pieces: List[str]) -> str:
    name, length = biggest(definitions, pieces)
    return (
        f"{name} takes {megabytes(length)} as JSON, and {megabytes(ONE)} is the most that one"
        " definition can have, although its metadata was cut"
    )


def biggest(definitions: List[Definition], pieces: List[str]) -> Tuple[str, int]:
    length, number = max((weight(piece), number) for number, piece in enumerate(pieces))
    one = definitions[number]
    return f"{one['kind']} {kept(one['name'], CharacterBudget(200))}", length


def megabytes(characters: int) -> str:
    return f"{characters / 2**20:.1f} MiB"


def encoded(
    loader: Optional[str],
    lists: List[str],
    problem: Optional[Mapping[str, Any]],
    sources: Mapping[str, str],
    watch: List[str],
    python: str,
    seconds: float,
) -> Tuple[bytes, List[bytes]]:
    """The body and the lists of an outcome. `lists`: definitions as they are in the contract, but
    for `location`; or the problem.

    `watch`: globs of what else was read.
    """
    told = {"sources": sources, "watch": watch, "python": python, "load_seconds": seconds}
    common = dumps(told)
    if problem:
        return f'{{"problem":{dumps(problem)},{common[1:]}'.encode(), []
    if len(lists) > 1:
        return f'{{"loader":{dumps(loader)},{common[1:]}'.encode(), [one.encode() for one in lists]
    listed = lists[0] if lists else "[]"
    return f'{{"loader":{dumps(loader)},"definitions":{listed},{common[1:]}'.encode(), []
