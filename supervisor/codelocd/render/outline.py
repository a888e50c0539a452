"""A JSON document as indented lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codelocd.render.text import one_line


def outline(value: Any) -> str:
    """A line per value, named and indented by where it stands; nothing for what is empty."""
    return "\n".join(_lines(value, ""))


def _lines(value: Any, margin: str) -> Iterator[str]:
    pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for name, item in pairs:
        label = "-" if name is None else f"{one_line(str(name))}:"
        if isinstance(item, dict | list):
            if item:
                yield f"{margin}{label}"
                yield from _lines(item, f"{margin}  ")
        elif item is not None:
            yield f"{margin}{label} {one_line(str(item))}"
