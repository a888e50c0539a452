"""The installed `codelocd`, run against a control socket that says what a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from codelocd.storage import sockets
from tests.end_to_end.daemons import CACHE
from tests.supervisor.cli.fake_control import LOCATION, FakeDaemon, Shell, status_document


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder that is in no project, as long as no config is written into it."""
    (tmp_path / "work").mkdir()
    return Shell((tmp_path / "work").resolve(), tmp_path.resolve() / "run")


@pytest.fixture
def used_shell(shell: Shell) -> Shell:
    """The same; the runner's program and what the Pythons here say of themselves are those that
    all tests use, as they are after the first command of a user."""
    return replace(shell, data=CACHE)


@pytest.fixture
def project(shell: Shell) -> Shell:
    (shell.folder / "codelocd.toml").touch()
    return shell


@pytest.fixture
def daemon(project: Shell) -> Iterator[FakeDaemon]:
    """The project's daemon; it has one location, `sales`, which serves."""
    folder = sockets.dev_folder(str(project.folder), str(project.runtime))
    fake = FakeDaemon(Path(sockets.control(folder)))
    fake.answers["status"] = lambda _: status_document(LOCATION)
    yield fake
    fake.close()
