"""A project of the test's own, and daemons that are stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemons import Dev, StartDev


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def dev(project: Path, tmp_path: Path) -> Iterator[StartDev]:
    """Starts `codelocd dev` with arguments in the project; stopped at the end."""
    started: list[Dev] = []

    def start(*arguments: str) -> Dev:
        started.append(Dev(project, tmp_path / "home", arguments))
        return started[-1]

    yield start
    for each in started:
        each.stop()
