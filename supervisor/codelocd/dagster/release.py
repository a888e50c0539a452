"""Which Dagster an environment has, read from its folder: nothing is imported or run for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """The version of dagster, and of the Python (`3.12`) that it is installed for."""

    version: Version
    python: str


def release_in(executable: Path) -> Release | None:
    """That of the environment of an interpreter; None where it has no dagster."""
    prefix = executable.parent.parent
    for found in prefix.glob("lib*/python3*/site-packages/dagster-*.dist-info"):
        try:
            version = Version(found.name.removeprefix("dagster-").removesuffix(".dist-info"))
        except InvalidVersion:
            continue
        return Release(version, found.parts[-3].removeprefix("python"))
    return None
