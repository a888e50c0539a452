"""The exceptions for definitions that break a rule, and their messages."""

from __future__ import annotations

from codeloc._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Iterable


class DefinitionsError(Exception):
    """Definitions that cannot be loaded as they are.

    `problems` holds one line for each thing that is wrong; the text begins with the first.
    """

    def __init__(self, problem: str, *others: str) -> None:
        super().__init__(problem, *others)
        self.problems = (problem, *others)

    def __str__(self) -> str:
        first, *others = self.problems
        if not others:
            return first
        return "\n".join([f"{first} (and {len(others)} more)", *others])


class ArgumentError(DefinitionsError, TypeError):
    """An argument of another type than the one expected, or one that is missing or unknown."""


class RunError(Exception):
    """A run that cannot begin as it was asked for; the text says why, and what to do."""


class MissingUpstream(RunError):
    """A run of which a function takes a value that the run does not make and no run has left."""


class Cancelled(BaseException):
    """Raised in a function whose run is cancelled, so that its `finally` and its resources end in
    order. Like KeyboardInterrupt it is no Exception; the run stays cancelled if it is caught.
    """


SHOWN = 30
"""More names than this in one message do not help."""


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
