"""The mistakes of a config: one line for each, all of them at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codeloc_envs.problem import without_passwords
from codelocd.core.nearest import advice

if TYPE_CHECKING:
    from codelocd.model import LocationSpec

Result = TypeVar("Result")
KeyPath = tuple[str | int, ...]
"""Where something stands in a file: names of keys, positions in lists from 0."""

COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, where, and what to do about it.

    `source` is an absolute path or COMMAND_LINE; `line` counts from 1. `absent`: a path whose
    appearance may mend it. `alone`: whatever else is wrong at the key follows from it.
    """

    source: str
    line: int | None
    key: KeyPath
    what: str
    remedy: str
    absent: Path | None = None
    alone: bool = False

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        key = f" {dotted(self.key)}:" if self.key else ""
        return without_passwords(f"{place}:{key} {self.what}; {self.remedy}")


class ConfigError(Exception):
    """A config cannot be used. `str()` has one line for each of `problems`, in file order.

    `readable` are the locations in it that can be understood, whatever else cannot.
    """

    def __init__(self, problems: Iterable[Mistake], readable: Iterable[LocationSpec] = ()) -> None:
        distinct = _without_consequences(dict.fromkeys(problems))
        self.problems = tuple(sorted(distinct, key=lambda each: (each.source, each.line or 0)))
        self.readable = tuple(readable)
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def files(self) -> frozenset[Path]:
        """Where a change may mend it: the files that have mistakes, and those that are missing."""
        sources = {each.source for each in self.problems if each.source != COMMAND_LINE}
        absent = {each.absent for each in self.problems if each.absent is not None}
        return frozenset([*map(Path, sources), *absent])


def _without_consequences(mistakes: Collection[Mistake]) -> list[Mistake]:
    alone = {(each.source, each.key) for each in mistakes if each.alone}
    return [
        each
        for each in mistakes
        if each.alone
        or alone.isdisjoint((each.source, each.key[:end]) for end in range(1, len(each.key) + 1))
    ]


class UnfitError(ValueError):
    """A value that does not fit its key, said without knowing where it stands."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class Problems:
    """Collects the problems of several steps, so that a person sees all of them at once.

    `readable` are the locations that could be understood where a step failed.
    """

    def __init__(self, found: Iterable[Mistake] = ()) -> None:
        self.found = list(found)
        self.readable: list[LocationSpec] = []

    def attempt(self, step: Callable[[], Result]) -> Result | None:
        """The result of a step, or None after its ConfigError."""
        try:
            return step()
        except ConfigError as error:
            self.found += error.problems
            self.readable += error.readable
            return None


def gathered(steps: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of all steps, or one ConfigError with the problems of all that failed."""
    problems = Problems()
    results = [result for step in steps if (result := problems.attempt(step)) is not None]
    if problems.found:
        raise ConfigError(problems.found)
    return results


def dotted(key: KeyPath) -> str:
    """A key as one writes it: `location.sales.env`, `load_from[0].python_file`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_written(part)}" for part in key]
    return "".join(parts).removeprefix(".")


def nearest(word: str, valid: Iterable[str]) -> str:
    """What to do about an unknown word: the nearest valid one, or all of them."""
    return advice(word, valid, "valid here")


def _written(key: str) -> str:
    bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
    return key if bare else json.dumps(key, ensure_ascii=False)
