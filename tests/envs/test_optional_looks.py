"""What is looked at for what it may say, and can be anything: it never refuses a location."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem, Request, choose
from codeloc_envs.inputs import built_folders, gather
from codeloc_envs.specification import Kind


@pytest.fixture
def code(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / ".git").mkdir()
    file = root / "pkg" / "definitions.py"
    file.write_text("x = 1\n")
    return file


@pytest.mark.parametrize("data", [b"# caf\xe9\n[tool.ruff]\n", b"[tool\n", b"\xff\xfe[\0"])
def test_a_project_file_that_is_only_looked_at_does_not_refuse(code: Path, data: bytes) -> None:
    asked = Request(packages=("six",))
    for folder in (code.parent, code.parent.parent):
        (folder / "pyproject.toml").write_bytes(data)
        choice = choose(asked, code=code)
        assert choice.specification.kind is Kind.PACKAGES
        gather(choice.specification, {})
        assert list(built_folders(choice.specification)) == []
    (code.parent / "requirements.txt").write_text("six\n")
    assert choose(None, code=code).specification.kind is Kind.PACKAGES
    environment = code.parent / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / "pyvenv.cfg").touch()
    assert choose(None, code=code).specification.kind is Kind.EXISTING


def test_the_nearest_description_is_no_optional_look(code: Path) -> None:
    (code.parent / "pyproject.toml").write_bytes(b"# caf\xe9\n[project]\n")
    with pytest.raises(EnvironmentProblem, match="is not UTF-8 text"):
        choose(None, code=code)


@pytest.mark.parametrize(
    "data",
    [
        b"x = " + b"-" * 7_000 + b"1\nsetup()\n",
        b"x = " + b"(" * 5_000 + b")" * 5_000 + b"\nsetup()\n",
        b"\xef\xbb\xbfsetup(python_requires='>=3.8')\n",
        b"# coding: latin-1\n# caf\xe9\nsetup(python_requires='>=3.8')\n",
    ],
)
def test_a_setup_py_of_any_kind_is_looked_at_without_a_refusal(code: Path, data: bytes) -> None:
    (code.parent / "setup.py").write_bytes(data)
    wish = choose(None, code=code).specification.python
    assert wish.requires == (">=3.8" if b"python_requires" in data else None)


def test_a_pipe_by_the_name_of_a_description_is_passed_over(code: Path) -> None:
    for name in ("setup.py", "requirements.txt", ".python-version", "pyproject.toml"):
        os.mkfifo(code.parent / name)
    (code.parent / "setup.cfg").write_text("[metadata]\nname = x\n")
    assert choose(None, code=code).specification.kind is Kind.PROJECT
