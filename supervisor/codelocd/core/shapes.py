"""Checks the documents of runners before they are used or kept. Pure.

A runner may be anything: its process runs user code. The same holds for what a disk gives back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from codelocd.core.registry import KINDS
from codelocd.model import CodeFrame, Snapshot

BODY_BYTES = 60 * 1024 * 1024
"""Of one snapshot as JSON; a message holds 64 MiB, and a runner cuts its own at 56 MiB."""
DEFINITIONS = 500_000
"""Of one location."""
VALUES = 4 * 1024 * 1024
"""Of one snapshot: as many as one message to a client holds."""
LEVELS = 128
"""Arrays and objects within each other in one definition; a message to a client takes 256."""
INTEGERS = range(-(2**63), 2**64)
"""What MessagePack can carry."""
FRAMES, FRAME_LINES, FRAME_CHARACTERS = 12, 7, 300
"""Of one problem, of one frame, and of one line of it."""
PIECE_BYTES = 4 * 1024 * 1024
"""Of a piece of JSON that is decoded in one go, which holds up all other threads."""
MOST_WORK, ESCAPE_WORK, VALUE_WORK = 16 * 1024 * 1024, 16, 8
"""Of decoding such a piece, in bytes of plain text; what a backslash takes besides, and a value."""
WINDOW = 256 * 1024
"""Bytes of JSON from which on it is decoded in more than one go."""
SHOWN = 40
"""Characters of a wrong value that a message shows."""


class WrongShape(ValueError):
    """`str()` says in one line what is wrong, and where."""


def read(body: Any) -> dict[str, Any]:
    """The JSON object in the bytes of a runner, within the bounds. Raises WrongShape."""
    return _object(_piece(body), "it")


def read_lists(lists: Any) -> list[Any]:
    """The definitions in JSON lists, which are many together. Raises WrongShape."""
    if type(lists) is not list:
        raise WrongShape(f"definitions is {_told(lists)}, not a list of JSON")
    found: list[Any] = []
    size = commas = 0
    for one in lists:
        listed = _piece(one)
        if type(listed) is not list:
            raise WrongShape(f"definitions has {_told(listed)}, not a list")
        found += listed
        size, commas = size + len(one), commas + one.count(b",")
        if size > BODY_BYTES:
            most = BODY_BYTES / 2**20
            raise WrongShape(f"it takes more than {most:.0f} MiB as JSON, which is the most")
        if commas > VALUES:
            raise WrongShape(f"it has more than {VALUES} values")
    return found


def joined(body: bytes, lists: list[bytes] | None) -> bytes:
    """The body with the definitions of such lists in it, of which `read` and `read_lists` have said
    that they are right. None: it has them."""
    if lists is None:
        return body
    listed = b",".join([one.strip()[1:-1] for one in lists if one.strip() != b"[]"])
    return b'%b,"definitions":[%b]}' % (body.rstrip()[:-1], listed)


def _piece(body: Any) -> Any:
    if type(body) is not bytes:
        raise WrongShape(f"{_told(body)} stands where JSON was expected")
    if len(body) > PIECE_BYTES:
        size, most = len(body) / 2**20, PIECE_BYTES / 2**20
        raise WrongShape(f"{size:.1f} MiB of JSON are in one piece, and {most:.0f} MiB is the most")
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    work = len(body) + ESCAPE_WORK * body.count(b"\\") + VALUE_WORK * values
    if work > MOST_WORK:
        raise WrongShape("it has too many values or escapes in one piece of JSON")
    try:
        return json.loads(body)
    except RecursionError:
        raise WrongShape("it is nested too deep") from None
    except ValueError as error:
        raise WrongShape(str(error)) from None


def decoded(body: bytes) -> Any:
    """JSON that may be large, on a thread that is not to hold up the others. Raises ValueError."""
    return json.loads(body, object_pairs_hook=_paired if len(body) > WINDOW else None)


def _paired(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A function in Python: at each object other threads may have their turn."""
    return dict(pairs)


def snapshot(data: Any) -> Snapshot:
    """The snapshot in JSON, each definition checked. Raises WrongShape.

    Other keys than those of a snapshot are ignored.
    """
    given = _object(data, "a snapshot")
    listed = given.get("definitions")
    if type(listed) is not list:
        raise WrongShape(f"definitions is {_told(listed)}, not a list")
    if len(listed) > DEFINITIONS:
        raise WrongShape(f"it has {len(listed)} definitions, and {DEFINITIONS} is the most")
    for number, one in enumerate(listed, 1):
        if (wrong := _wrong(one)) is not None:
            raise WrongShape(f"{_named(one, number)}: {wrong}")
    if (wrong := _excess(listed)) is not None:
        culprit = next(n for n, one in enumerate([*listed, None], 1) if one is None or _excess(one))
        where = _named(listed[culprit - 1], culprit) if culprit <= len(listed) else "all together"
        raise WrongShape(f"{where}: {wrong}")
    return Snapshot(
        loader=text(given, "loader"),
        python=text(given, "python"),
        load_seconds=seconds(given, "load_seconds"),
        definitions=tuple(listed),
        sources=sources(given),
    )


def problem(data: Any) -> dict[str, Any]:
    """Why code did not load. Raises WrongShape."""
    given = _object(data, "problem")
    text(given, "summary")
    for name in ("detail", "missing", "variable"):
        if type(given.get(name)) not in _TEXT_OR_NONE:
            raise WrongShape(f"{name} is {_told(given[name])}, not a text")
    waiting = [given.get("error")]
    while waiting:
        error = waiting.pop()
        if error is not None:
            _object(error, "error")
            text(error, "type")
            text(error, "message")
            if type(error.get("causes")) is not list:
                raise WrongShape(f"causes is {_told(error.get('causes'))}, not a list")
            waiting += error["causes"]
    given["frames"] = _frames(given.get("frames"))
    return given


def _frames(told: Any) -> tuple[CodeFrame, ...]:
    """Raises WrongShape. A runner of an older version tells none."""
    if type(told) is not list:
        return ()
    found = []
    for each in told[:FRAMES]:
        frame = _object(each, "a frame")
        code = frame.get("code")
        if type(code) is not list or len(code) > FRAME_LINES:
            raise WrongShape("the code of a frame is no short list")
        for line in code:
            if type(line) is not list or list(map(type, line)) != [int, str]:
                raise WrongShape(f"a line of code is {_told(line)}, not a number and a text")
        if type(frame.get("line")) is not int or type(frame.get("own")) is not bool:
            raise WrongShape("a frame says not where it is, or whose")
        found.append(
            CodeFrame(
                file=text(frame, "file"),
                line=frame["line"],
                column=frame["column"] if type(frame.get("column")) is int else None,
                function=text(frame, "function"),
                own=frame["own"],
                code=tuple((number, line[:FRAME_CHARACTERS]) for number, line in code),
            )
        )
    return tuple(found)


def load_facts(data: Any) -> dict[str, Any]:
    """What a load shows to those who keep interpreters warm. Raises WrongShape."""
    given = _object(data, "imports")
    for name in ("modules", "named", "variables", "changed"):
        texts(given, name)
    seconds(given, "seconds")
    seconds(given, "import_seconds")
    if given.get("divergence") is not None:
        divergence = _object(given["divergence"], "divergence")
        text(divergence, "what")
        text(divergence, "why")
    return given


def stacks(data: Any) -> tuple[Any, ...]:
    """The threads in a runner's answer to `stacks`. Raises WrongShape."""
    threads = _object(data, "the answer").get("threads")
    if type(threads) is not list:
        raise WrongShape(f"threads is {_told(threads)}, not a list")
    for each in threads:
        text(_object(each, "a thread"), "name")
        texts(each, "stack")
    return tuple(threads)


def text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if type(value) is not str:
        raise WrongShape(f"{name} is {_told(value)}, not a text")
    return value


def texts(given: Mapping[str, Any], name: str) -> list[str]:
    value = given.get(name, [])
    if type(value) is not list or not _TEXT.issuperset(map(type, value)):
        raise WrongShape(f"{name} is {_told(value)}, not a list of texts")
    return value


def seconds(given: Mapping[str, Any], name: str) -> float:
    value: Any = given.get(name)
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise WrongShape(f"{name} is {_told(value)}, not a number of seconds")
    return float(value)


def sources(given: Mapping[str, Any]) -> dict[str, str]:
    """Digests by path."""
    found = _object(given.get("sources"), "sources")
    if not _TEXT.issuperset(map(type, found.values())):
        raise WrongShape("sources has a value that is no digest")
    return found


# --- one definition ----------------------------------------------------------------------------

_Types: TypeAlias = frozenset[type]

_TEXT: _Types = frozenset((str,))
_TEXT_OR_NONE: _Types = frozenset((str, type(None)))
_LISTS: _Types = frozenset((list,))
_LIST_OR_NONE: _Types = frozenset((list, type(None)))
_MAP_OR_NONE: _Types = frozenset((dict, type(None)))
_CONTAINERS = frozenset((list, dict))
_NUMBERS = frozenset((int, float))


def _are_texts(values: Iterable[Any]) -> bool:
    return _TEXT.issuperset(map(type, values))


def _are_keys(values: Sequence[Any]) -> bool:
    texts = chain.from_iterable(values)
    return _LISTS.issuperset(map(type, values)) and _TEXT.issuperset(map(type, texts))


def _is_place(value: Mapping[str, Any]) -> bool:
    return type(value.get("file")) is str and type(value.get("line")) in (int, type(None))


_SHAPES: Mapping[str, tuple[_Types, Callable[[Any], bool] | None, str]] = {
    "location": (frozenset(), None, "for a runner to say"),
    "kind": (_TEXT, KINDS.__contains__, f"one of {', '.join(KINDS)}"),
    "name": (_TEXT, None, "a text"),
    "repository": (_TEXT, None, "a text"),
    "key": (_LIST_OR_NONE, _are_texts, "a list of texts"),
    "deps": (_LIST_OR_NONE, _are_keys, "a list of keys"),
    "group": (_TEXT_OR_NONE, None, "a text"),
    "job": (_TEXT_OR_NONE, None, "a text"),
    "assets": (_LIST_OR_NONE, None, "a list"),
    "ops": (_LIST_OR_NONE, None, "a list"),
    "checks": (_LIST_OR_NONE, None, "a list"),
    "owners": (_LIST_OR_NONE, None, "a list"),
    "kinds": (_LIST_OR_NONE, None, "a list"),
    "resources": (_LIST_OR_NONE, None, "a list"),
    "tags": (_MAP_OR_NONE, None, "an object"),
    "metadata": (_MAP_OR_NONE, None, "an object"),
    "execution_set": (_MAP_OR_NONE, None, "an object"),
    "source": (_MAP_OR_NONE, _is_place, "an object with file and line"),
}
"""By field that the daemon or its commands read: types, what its content must be, in words."""

_NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(KINDS, ("name", "repository")),
    "asset": ("name", "repository", "key", "deps"),
    "asset_check": ("name", "repository", "key"),
}


def _wrong(definition: Any) -> str | None:
    """What is wrong with one definition: a few microseconds each, there may be 200,000."""
    if type(definition) is not dict:
        return f"it is {_told(definition)}, not an object"
    for name, value in definition.items():
        shape = _SHAPES.get(name)
        if shape is None:
            continue
        types, is_right, form = shape
        if type(value) not in types or (value and is_right is not None and not is_right(value)):
            return f"{name} is {_told(value)}, not {form}"
    for name in _NEEDED.get(definition.get("kind", ""), ("kind",)):
        if definition.get(name) is None:
            return f"it has no {name}"
    return None


def _excess(value: Any) -> str | None:
    """What no message to a client could carry. Levels are looked at together: that is quick."""
    level, counted = [value], 0
    for _ in range(LEVELS):
        level = [
            inner for outer in level for inner in (outer.values() if type(outer) is dict else outer)
        ]
        counted += len(level)
        if counted > VALUES:
            return f"more than {VALUES} values"
        numbers = [value for value in level if type(value) in _NUMBERS]
        # A float that is infinite or none minus itself is none; an int may have too many bits.
        odd = (n for n in numbers if (n - n != 0 if type(n) is float else n not in INTEGERS))
        wrong = next(odd, None)
        if wrong is not None:
            return f"the number {_told(wrong)} has no form in JSON or MessagePack"
        level = [inner for inner in level if type(inner) in _CONTAINERS]
        if not level:
            return None
    return f"nested more than {LEVELS} levels deep"


def _named(definition: Any, number: int) -> str:
    if type(definition) is not dict:
        return f"definition {number}"
    kind, name = definition.get("kind"), definition.get("name")
    return f"definition {number} ({_told(kind)} {_told(name)})"


def _object(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise WrongShape(f"{what} is {_told(value)}, not an object")
    return value


def _told(value: Any) -> str:
    """A value in few words."""
    if type(value) in _CONTAINERS and value:
        return f"{'an object' if type(value) is dict else 'a list'} of {len(value)}"
    if type(value) is int and value not in INTEGERS:
        return f"of {value.bit_length()} bits"
    shown = str.__getitem__(value, slice(SHOWN)) if type(value) is str else value
    return "nothing" if value is None else ascii(shown)[: SHOWN + 20]
