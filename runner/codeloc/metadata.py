"""Metadata as JSON can hold it, copied when it is given."""

from __future__ import annotations

from collections.abc import Mapping

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from codeloc.arguments import Arguments

FORM = "what JSON can hold (None, bool, int, float, str, list, dict)"
DEPTH = 50
"""Levels of nesting: what has more contains itself."""


def plain(arguments: Arguments, place: str, value: object, depth: int = 0) -> Any:
    """A copy of `value` of JSON's own types; `place` says where it is."""
    if depth > DEPTH:
        top = place[: place.index("]") + 1]
        raise arguments.invalid(top, f"nested more than {DEPTH} deep")
    if isinstance(value, Mapping):
        entries = arguments.mapping(place, value)
        return {
            key: plain(arguments, f"{place}[{key!r}]", entries[key], depth + 1) for key in entries
        }
    if isinstance(value, (list, tuple)):
        return [
            plain(arguments, f"{place}[{index}]", item, depth + 1)
            for index, item in enumerate(value)
        ]
    return _scalar(arguments, place, value)


def _scalar(arguments: Arguments, place: str, value: object) -> object:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise arguments.invalid(place, f"{value} is not a number in JSON")
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise arguments.wrong(place, value, FORM)
    return value
