"""What a location may be called. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from codelocd.config.mistakes import UnfitError
from codelocd.model import LocationSpec

LONGEST = 100
"""Characters of a name in `codelocd.toml`."""

FOLDERS = (".", "..")
"""Names that would be paths."""


def check_own(name: str) -> None:
    """The rule for `codelocd.toml`; UnfitError."""
    if not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{LONGEST}}}", name) or name in FOLDERS:
        what = "is not a name for a location"
        raise UnfitError(what, f"use letters, digits, `_`, `-` and `.`, up to {LONGEST} of them")


def check_foreign(name: str) -> None:
    """The rule for Dagster's formats and for the command line; UnfitError.

    Dagster has no rule. It derives the identity of schedules and sensors from the name, so
    a name is kept as it is or refused, never changed.
    """
    if not name or not name.isprintable() or "/" in name or name in FOLDERS:
        what = f"{name!r} is not a name for a location"
        raise UnfitError(what, "give it a name of printable characters without `/`")


def dagster_default(value: str, attribute: str | None) -> str:
    """The name Dagster gives to a file name, module or package (`a.py`, `a.py:defs`).

    Source: `_assign_loadable_target_origin_name` in dagster/_core/remote_origin.py.
    """
    return f"{value}:{attribute}" if attribute else value


def clashes(specs: Iterable[LocationSpec]) -> list[tuple[LocationSpec, LocationSpec]]:
    """Every location whose name an earlier one has: the earlier and the later."""
    first: dict[str, LocationSpec] = {}
    return [
        (first[spec.name], spec) for spec in specs if first.setdefault(spec.name, spec) is not spec
    ]
