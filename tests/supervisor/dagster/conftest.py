"""What the tests of code servers need: real processes in a real interpreter without Dagster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codelocd.model import Target
from codelocd.runners.api import Program, RunnerSpec
from tests.pythons import EXTREMES
from tests.pythons import interpreter as python_of

STRIPPED = ("DAGSTER_", "PYTHON", "VIRTUAL_ENV", "UV_")


@pytest.fixture(autouse=True)
def temporary(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Sockets of a runtime folder with a long path lie in the temporary folder, beyond its end."""
    tmp_path_factory.getbasetemp()  # it is not below the one that goes here
    with tempfile.TemporaryDirectory(prefix="sockets-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(params=EXTREMES)
def interpreter(request: pytest.FixtureRequest) -> Path:
    """The oldest and the newest that a location may have."""
    return python_of(request.param)


@pytest.fixture
def spec(interpreter: Path, tmp_path: Path) -> RunnerSpec:
    """One location; its folder is empty."""
    folder = tmp_path / "code"
    folder.mkdir()
    return RunnerSpec(
        location="sales",
        environment="key",
        executable=interpreter,
        variables={k: v for k, v in os.environ.items() if not k.startswith(STRIPPED)},
        working_directory=folder,
        target=Target("python_file", str(folder / "defs.py")),
        attribute="defs",
        output=lambda _stream, _data: None,
    )


@pytest.fixture
def tool(spec: RunnerSpec) -> Callable[..., Program]:
    """`tool(source, *arguments)`: a module beside the location, as a program; what it prints is
    in its `said`."""

    def tool(source: str, *arguments: str) -> Program:
        (spec.working_directory / "tool.py").write_text(source)
        return Program(spec, "tool", arguments, spec.variables, Said())

    return tool


class Said:
    """What a program printed."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, _stream: str, data: bytes) -> None:
        self.text += data.decode()
