"""What is raised when definitions break a rule."""

from __future__ import annotations


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
