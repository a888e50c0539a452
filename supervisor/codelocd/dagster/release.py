"""Which Dagster an environment has, read from its folder: nothing is imported or run for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from codeloc_envs import EnvironmentProblem


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


def newest_of(executables: Iterable[Path]) -> Release:
    """The newest release in those environments; EnvironmentProblem where none is left."""
    found = [release for release in map(release_in, executables) if release]
    if not found:
        raise EnvironmentProblem(
            "no environment of a location has dagster any more; put it back into one"
        )
    return max(found)
