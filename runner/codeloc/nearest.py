"""What there is instead of a name that does not exist."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Iterable

SHOWN = 30
"""More names than this in one message help nobody."""


def suggestion(name: str, names: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing if no name is close."""
    import difflib  # only on the way to an error

    close = difflib.get_close_matches(name, list(names), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def listing(names: Iterable[str]) -> str:
    """The names, comma between; `none` if there are none."""
    everything = list(names)
    rest = len(everything) - SHOWN
    shown = ", ".join(everything[:SHOWN]) or "none"
    return f"{shown} and {rest} more" if rest > 0 else shown
