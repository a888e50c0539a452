"""Emulated machines with codelocd installed, for all tests of this folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.systemd.box import Box, debian, own_release
from tests.systemd.emulated import machine

Machines: TypeAlias = Callable[..., AbstractContextManager[machine.Machine]]


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Machines]:
    """`machines(check, journal=…)`: one, which is removed at the end of the context; as of
    `machine.Machine`."""
    if reason := machine.missing():
        pytest.skip(reason)
    parts = tmp_path_factory.mktemp("parts")
    kernel = machine.kernel(parts / "kernel")
    if kernel is None:
        pytest.skip(f"apt has no {machine.PACKAGE} here")
    below = debian(own_release(), parts / "debian", "iproute2")

    @contextlib.contextmanager
    def made(check: Path, *, journal: bool = False) -> Iterator[machine.Machine]:
        folder = tmp_path_factory.mktemp("machine")
        box = Box(folder, below)
        try:
            box.make()
            box.install(wheel)
            yield machine.Machine(box.root, kernel, folder, check.read_text(), journal=journal)
        finally:
            box.close()
            shutil.rmtree(folder)

    yield made
    shutil.rmtree(parts)
