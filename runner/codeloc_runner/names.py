"""Which names a piece of compiled code uses."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Iterator, Set


def names_in(code: CodeType) -> Set[str]:
    """Every name that some code uses, imports among them."""
    found: Set[str] = set(code.co_names)
    for inner in nested(code):
        found |= names_in(inner)
    return found


def nested(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, type(code)))
