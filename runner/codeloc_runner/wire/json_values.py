"""Makes JSON of values that user code made: they are copied within bounds, and none of their
methods is called.

Whatever a class says of its own objects (`__str__`, `__iter__`, `__class__`, `__eq__`) is user
code: it may raise, hang, lie, or give an address that differs at each load. So an object is known
by its type alone, and read as C code would read it. JSON is written and read by the interpreter's
own C code: the `json` package around it imports `re` and `enum`, a third of a runner's start.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple


VALUE_CHARACTERS = 64 * 1024
"""Of one value: of metadata, a tag, a description."""
DEFINITION_CHARACTERS = 256 * 1024
"""Of all metadata of one definition."""
KEY_CHARACTERS = 1024
ENTRIES = 1000
"""Names that the metadata, or the tags, of one definition may have."""
DEPTH = 100
"""Levels of nesting; JSON's own readers take no more than a thousand."""
INTEGERS = range(-(2**63), 2**64)
"""What MessagePack can carry."""
DIGITS = 4000
"""Of an integer that is told as text; Python itself refuses to write more than 4300."""


class Unserializable(Exception):
    """JSON has nothing for it."""


class CharacterBudget:
    """The characters that are left for one value; `within`: what is being copied, by id."""

    __slots__ = ("left", "within")

    def __init__(self, characters: int) -> None:
        self.left = characters
        self.within: Set[int] = set()


def kept(value: object, room: Optional[CharacterBudget] = None) -> Any:
    """A copy of JSON's own types within `room`, or else the value's type in Dagster's words."""
    return copied(value, room) if is_json(value) else unserializable(value)


def copied(value: object, room: Optional[CharacterBudget] = None) -> Any:
    """The same of what a list or a dict may hold: there a tuple is a list."""
    try:
        return _copy(value, room or CharacterBudget(VALUE_CHARACTERS))
    except Exception:  # noqa: BLE001  changed by another thread, contains itself, or is no JSON
        return unserializable(value)


def is_json(value: object) -> bool:
    """Whether Dagster takes it for JSON (`normalize_metadata_value`): no tuples, nor records."""
    return value is None or any(base in (str, int, float, list, dict) for base in bases(value))


def bases(value: object) -> Tuple[type, ...]:
    return type.__dict__["__mro__"].__get__(type(value))  # type: ignore[no-any-return]


def class_name(value: object) -> str:
    return str.__str__(type.__dict__["__name__"].__get__(type(value)))


def unserializable(value: object) -> str:
    """As Dagster names what it does not keep (`normalize_metadata`)."""
    return f"[{class_name(value)}] (unserializable)"


def shortened(value: str, limit: int = VALUE_CHARACTERS) -> str:
    """At most `limit` characters of a string, without halves of surrogate pairs."""
    length = str.__len__(value)
    whole = str.__getitem__(value, slice(limit))
    if not whole.isascii():
        whole = whole.encode("utf-8", "backslashreplace").decode("utf-8")
    return whole if length <= limit else f"{whole}… ({length - limit} of {length} characters cut)"


def _copy(value: object, room: CharacterBudget) -> Any:
    if value is None or value is True or value is False:
        room.left -= 5
        return value
    types = bases(value)
    if str in types:
        return _text(value, room)  # type: ignore[arg-type]
    if int in types:
        return _integer(int.__int__(value), room)  # type: ignore[arg-type]
    if float in types:
        room.left -= 20
        number = float.__float__(value)  # type: ignore[arg-type]
        return number if number - number == 0 else repr(number)
    if id(value) in room.within or len(room.within) >= DEPTH:
        raise Unserializable
    room.within.add(id(value))
    copy = _container(value, types, room)
    room.within.discard(id(value))
    return copy


def _container(value: object, types: Tuple[type, ...], room: CharacterBudget) -> Any:
    room.left -= 2
    if dict in types:
        return _entries(value, room)  # type: ignore[arg-type]
    if list in types or tuple in types:
        return _items(value, tuple if tuple in types else list, room)
    raise Unserializable


def _text(value: str, room: CharacterBudget) -> str:
    told = shortened(value, max(room.left, 0))
    room.left -= str.__len__(value) + 2
    return told


def _integer(number: int, room: CharacterBudget) -> object:
    if number in INTEGERS:
        room.left -= 20
        return number
    if number.bit_length() > DIGITS * 3:
        raise Unserializable
    return _text(int.__str__(number), room)


def _items(value: Any, kind: Any, room: CharacterBudget) -> List[Any]:
    found: List[Any] = []
    count = kind.__len__(value)
    for item in kind.__iter__(value):
        if room.left <= 0:
            found.append(f"… ({count - len(found)} of {count} cut)")
            break
        found.append(_copy(item, room))
    return found


def _entries(value: Dict[Any, Any], room: CharacterBudget) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    count = dict.__len__(value)
    for key, item in dict.items(value):
        if room.left <= 0:
            found["…"] = f"{count - len(found)} of {count} cut"
            break
        name = _key(key)
        room.left -= len(name)
        found[name] = _copy(item, room)
    return found


KEYS = {None: "null", True: "true", False: "false"}
"""As JSON has the keys that are no strings."""


def _key(key: Any) -> str:
    types = bases(key)
    if str in types:
        return shortened(key, KEY_CHARACTERS)
    if key is None or key is True or key is False:
        return KEYS[key]
    if int in types:
        return shortened(int.__str__(key), KEY_CHARACTERS)
    if float in types:
        return float.__repr__(key)
    raise Unserializable


def entries(mapping: Any) -> Iterator[Tuple[str, object]]:
    """Of a mapping that may be one of the user's own; what it refuses to list is not listed."""
    try:
        listed: Any = {} if mapping is None else mapping
        found = list(islice(listed.items(), ENTRIES + 1))
        count = len(listed) if len(found) > ENTRIES else len(found)
    except Exception:  # noqa: BLE001  its own code
        found, count = [("…", unserializable(mapping))], 1
    yield from ((name_of(name), value) for name, value in found[:ENTRIES])
    if count > ENTRIES:
        yield "…", f"{count - ENTRIES} of {count} cut"


def bounded(
    pairs: Iterable[Tuple[str, object]], tell: Callable[[object, CharacterBudget], Any]
) -> Dict[str, Any]:
    """What `tell` makes of each value in the room that is left; what is small always has some."""
    room, found = CharacterBudget(DEFINITION_CHARACTERS), {}
    for name, value in pairs:
        given = max(min(VALUE_CHARACTERS, room.left), 0)
        mine = CharacterBudget(given)
        found[name] = tell(value, mine)
        room.left -= given - max(mine.left, 0) + len(name)
    return found


def name_of(name: object) -> str:
    try:
        return _key(name)
    except Exception:  # noqa: BLE001  no name that JSON has
        return unserializable(name)


class ScannerRules:
    """What the scanner asks for, the values those of `json.loads`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def loads(text: str) -> Any:
    """Raises ValueError."""
    try:
        return make_scanner(ScannerRules)(text, 0)[0]  # type: ignore[arg-type]  # any such object will do
    except StopIteration:
        raise ValueError(f"no JSON: {text!r}") from None


def dumps(value: Any) -> str:
    """What is no JSON value is told by its type."""
    encode = make_encoder(
        {}, unserializable, encode_basestring_ascii, None, ":", ",", False, False, True
    )
    return "".join(encode(value, 0))
