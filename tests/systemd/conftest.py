"""One booted systemd with codelocd installed, for all tests of this folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.box import ROOT, Box, missing


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` builds."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    build = [sys.executable, "-m", "build", *options]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Box]:
    if reason := missing():
        pytest.skip(reason)
    box = Box(tmp_path_factory.mktemp("box"))
    try:
        box.make()
        box.install(wheel)
        box.boot()
        yield box
    finally:
        box.close()
