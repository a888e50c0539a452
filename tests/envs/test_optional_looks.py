"""What is looked at for what it may say, and can be anything: it never refuses a location."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from codeloc_envs import Environment, EnvironmentProblem, Request, choose
from codeloc_envs.inputs import built_folders, gather
from codeloc_envs.request import EnvironmentKind

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
Project = Callable[..., Path]


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
        assert choice.specification.kind is EnvironmentKind.PACKAGES
        gather(choice.specification, {})
        assert list(built_folders(choice.specification)) == []
    (code.parent / "requirements.txt").write_text("six\n")
    assert choose(None, code=code).specification.kind is EnvironmentKind.PACKAGES
    environment = code.parent / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / "pyvenv.cfg").touch()
    assert choose(None, code=code).specification.kind is EnvironmentKind.EXISTING


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
    assert choose(None, code=code).specification.kind is EnvironmentKind.PROJECT


LATIN = b"# caf\xe9\n[tool.ruff]\n"


@pytest.mark.parametrize("where", ["beside", "above", "outside"])
def test_uv_installs_whatever_lies_around_that_it_cannot_read(
    build: Build, wheel: Wheel, workplace: Path, tmp_path: Path, where: str
) -> None:
    folder = workplace / "deep" / "code"
    folder.mkdir(parents=True)
    place = {"beside": folder, "above": workplace, "outside": tmp_path}[where]
    (place / "pyproject.toml").write_bytes(LATIN)
    (folder / "requirements.txt").write_text("alpha\n./beta-1.0-py3-none-any.whl\n")
    wheel("alpha")
    wheel("beta").rename(folder / "beta-1.0-py3-none-any.whl")
    built = build(code=folder)
    assert built.path is not None
    assert list(built.path.glob("lib/*/site-packages/alpha.py"))
    assert list(built.path.glob("lib/*/site-packages/beta.py"))


def test_a_folder_by_the_name_of_a_project_file_stops_no_install(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    (workplace / "pyproject.toml").mkdir()
    wheel("alpha")
    build(Request(packages=("alpha",)))


def test_settings_of_uv_that_it_cannot_read_are_named_where_they_are_the_projects_own(
    build: Build, wheel: Wheel, workplace: Path, tmp_path: Path
) -> None:
    wheel("alpha")
    folder = workplace / "code"
    folder.mkdir()
    for name, text in (("uv.toml", ""), ("pyproject.toml", "[tool.uv]\n")):
        outside, own = tmp_path / name, workplace / name
        for file in (outside, own):
            file.write_bytes(b"# caf\xe9\n" + text.encode())
        with pytest.raises(EnvironmentProblem) as caught:
            build(Request(packages=("alpha",)), code=folder)
        assert caught.value.summary == (
            f"{own} is not UTF-8 text, and has settings of uv, which needs that; save it as UTF-8"
        )
        assert own in caught.value.inputs
        own.unlink()
        build(Request(packages=("alpha",)), code=folder)
        outside.unlink()


def test_settings_above_what_cannot_be_read_still_count(
    build: Build, wheel: Wheel, wheels: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel("alpha")
    monkeypatch.delenv("UV_FIND_LINKS")
    (workplace / "uv.toml").write_text(f'find-links = ["{wheels}"]\n')
    folder = workplace / "code"
    folder.mkdir()
    (folder / "pyproject.toml").write_bytes(LATIN)
    build(Request(packages=("alpha",)), code=folder)


@pytest.mark.parametrize("locked", [True, False])
def test_above_a_project_the_file_that_uv_has_to_read_is_named(
    build: Build, wheels: Path, project: Project, workplace: Path, locked: bool
) -> None:
    """It may say which workspace the project belongs to: uv reads on, and has no option."""
    app = project(workplace / "app", "app", more='requires-python = ">=3.8"\n')
    if locked:
        subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=app, check=True)
    (workplace / "pyproject.toml").write_bytes(LATIN)
    with pytest.raises(EnvironmentProblem) as caught:
        build(code=app)
    assert caught.value.summary == (
        f"{workplace}/pyproject.toml is not UTF-8 text, and uv has to read it; save it as UTF-8, "
        "or add the line [tool.uv.workspace] to the project's own pyproject.toml: uv then looks no "
        "further"
    )
    with (app / "pyproject.toml").open("a") as own:
        own.write("[tool.uv.workspace]\n")
    build(code=app)
