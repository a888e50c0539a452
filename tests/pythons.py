"""The Pythons that tests run on: every version that a location may have, as far as it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"


def found(version: str) -> Path | None:
    """The latest of a version, by its `bin/python`."""
    return max(PYENV.glob(f"{version}.*/bin/python"), default=None)


def interpreter(version: str) -> Path:
    """The same; without one the test is skipped."""
    python = found(version)
    if python is None:
        pytest.skip(f"no Python {version} in {PYENV}: what is for it cannot run")
    return python


EXTREMES = (VERSIONS[0], next(filter(found, reversed(VERSIONS)), VERSIONS[-1]))
"""The oldest and the newest that is there."""
