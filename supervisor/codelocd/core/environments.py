"""What one environment has to become to be another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codelocd.documents.answers import EnvironmentsDiff


def difference(
    keys: tuple[str, str],
    pythons: tuple[str, str],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> EnvironmentsDiff:
    """`before` and `after`: the versions of their packages by name."""
    return {
        "keys": list(keys),
        "python": list(pythons),
        "removed": [f"{name}=={before[name]}" for name in sorted(before.keys() - after)],
        "added": [f"{name}=={after[name]}" for name in sorted(after.keys() - before)],
        "changed": [
            [name, before[name], after[name]]
            for name in sorted(before.keys() & after)
            if before[name] != after[name]
        ],
    }
