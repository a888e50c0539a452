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


VALUES = 100_000
"""Values in all: lists that hold each other can be small, and endless when copied."""
CHARACTERS = 1_000_000
"""Of one text."""
BITS = 63
"""Of an integer that every reader takes, beside its sign."""


def plain(arguments: Arguments, place: str, value: object) -> Any:
    """A copy of `value` of JSON's own types; `place` says where it is."""
    return _Copy(arguments, place).of(place, value, 0)


class _Copy:
    """Of one value given as metadata: counts what it holds."""

    def __init__(self, arguments: Arguments, top: str) -> None:
        self._arguments = arguments
        self._top = top
        self._count = 0

    def of(self, place: str, value: object, depth: int) -> Any:
        self._count += 1
        if depth > DEPTH:
            raise self._arguments.invalid(self._top, f"nested more than {DEPTH} deep")
        if self._count > VALUES:
            raise self._arguments.invalid(self._top, f"holds more than {VALUES} values")
        if isinstance(value, Mapping):
            entries = self._arguments.mapping(place, value)
            return {key: self.of(f"{place}[{key!r}]", entries[key], depth + 1) for key in entries}
        if isinstance(value, (list, tuple)):
            return [
                self.of(f"{place}[{index}]", item, depth + 1) for index, item in enumerate(value)
            ]
        return _scalar(self._arguments, place, value)


def _scalar(arguments: Arguments, place: str, value: object) -> object:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise arguments.invalid(place, f"{value} is not a number in JSON")
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise arguments.wrong(place, value, FORM)
    if isinstance(value, int) and value.bit_length() > BITS:
        raise arguments.invalid(place, f"an integer of more than {BITS} bits: give it as a str")
    if isinstance(value, str) and len(value) > CHARACTERS:
        raise arguments.invalid(place, f"longer than {CHARACTERS} characters: {len(value)}")
    return value
