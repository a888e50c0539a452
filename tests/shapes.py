"""Whether a document has the shape that `codelocd.documents` declares."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from typing import (
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)


def faults(value: object, shape: Any, place: str = "it") -> list[str]:
    """Each place where `value` has another key or another type than `shape` says."""
    return list(_faults(value, shape, place))


def _faults(value: object, shape: Any, place: str) -> Iterator[str]:
    if shape is Any:
        return
    origin, inner = get_origin(shape), get_args(shape)
    if origin is NotRequired:
        yield from _faults(value, inner[0], place)
    elif origin in (Union, types.UnionType):
        yield from _of_the_nearest(value, inner, place)
    elif origin is Literal:
        if value not in inner:
            yield f"{place} is {value!r}, none of {inner}"
    elif is_typeddict(shape):
        yield from _of_map(value, shape, place)
    elif origin is dict and isinstance(value, dict):
        for name, each in value.items():
            yield from _faults(name, inner[0], f"the key {name!r} of {place}")
            yield from _faults(each, inner[1], f"{place}.{name}")
    elif origin is list and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _faults(each, inner[0], f"{place}[{number}]")
    elif origin is tuple and isinstance(value, list | tuple):
        for number, (each, kind) in enumerate(zip(value, inner, strict=True)):
            yield from _faults(each, kind, f"{place}[{number}]")
    elif not _is(value, origin or shape):
        yield f"{place} is {value!r}, not {shape}"


def _is(value: object, kind: Any) -> bool:
    if kind in (float, int) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _of_the_nearest(value: object, shapes: tuple[Any, ...], place: str) -> list[str]:
    """Of a union: the faults by the alternative that has the fewest."""
    return min((faults(value, shape, place) for shape in shapes), key=len)


def _of_map(value: object, shape: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is {value!r}, not a map"
        return
    hints = _hints(shape)
    required = {name for name, kind in hints.items() if get_origin(kind) is not NotRequired}
    for name in sorted(required - value.keys()):
        yield f"{place} has no {name!r}"
    for name in sorted(value.keys() - hints.keys()):
        yield f"{place} has {name!r}, which {shape.__name__} has not"
    for name in value.keys() & hints.keys():
        yield from _faults(value[name], hints[name], f"{place}.{name}")


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape, include_extras=True)


def keys(shape: Any) -> set[str]:
    """The keys of a TypedDict."""
    return set(get_type_hints(shape))
