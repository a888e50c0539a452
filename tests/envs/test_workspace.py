"""The members of a uv workspace share one lock and one environment."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import Environment, choose
from codeloc_envs.project.workspace import lock_of_workspace, members, shared_interpreter

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
Project = Callable[..., Path]
ROOT = '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/old*"]\n'


@pytest.fixture
def workspace(workplace: Path, project: Project, wheel: Wheel) -> Path:
    """Two members, of which one needs the other, and a lock."""
    wheel("alpha")
    (workplace / "pyproject.toml").write_text(ROOT)
    project(workplace / "packages/lib", "lib", ("alpha",))
    source = "[tool.uv.sources]\nlib = { workspace = true }\n"
    project(workplace / "packages/app", "app", ("lib",), more=source)
    command = [sys.executable, "-m", "uv", "lock", "--quiet", "--project", str(workplace)]
    subprocess.run(command, check=True, cwd=workplace)
    return workplace


def test_members_share_one_environment_with_all_of_them_in_it(
    build: Build, workspace: Path
) -> None:
    one = build(code=workspace / "packages/app")
    two = build(code=workspace / "packages/lib/src")
    assert (one.origin, two.origin) == ("built", "reused")
    assert one.path == two.path
    subprocess.run([one.executable, "-B", "-c", "import app, lib, alpha"], check=True)


def test_a_members_project_file_is_an_input_of_all(workspace: Path) -> None:
    choice = choose(None, code=workspace / "packages/app")
    assert choice.why.startswith(f"the lock of the workspace that {workspace}/packages/app is in")
    assert workspace / "uv.lock" in choice.inputs
    assert workspace / "packages/lib/pyproject.toml" in choice.inputs


def test_what_is_excluded_is_no_member(workspace: Path, project: Project) -> None:
    old = project(workspace / "packages/old-app", "old_app")
    assert lock_of_workspace(old) is None
    assert [folder.name for folder in members(workspace)] == ["app", "lib"]


@pytest.mark.parametrize(
    ("patterns", "exclude", "named"),
    [
        ("packages/*/*", "packages/x*", {"b"}),
        ("./packages/*/*", "./packages/x/*", {"b"}),
        ("packages/*/*", "packages/x", {"a", "b"}),
    ],
)
def test_members_are_the_projects_that_uv_locks(
    workplace: Path, project: Project, patterns: str, exclude: str, named: set[str]
) -> None:
    table = f'[tool.uv.workspace]\nmembers = ["{patterns}"]\nexclude = ["{exclude}"]\n'
    (workplace / "pyproject.toml").write_text(table)
    for name, folder in (("a", "packages/x/a"), ("b", "packages/y/b")):
        project(workplace / folder, name)
    command = [sys.executable, "-m", "uv", "lock", "--quiet", "--project", str(workplace)]
    subprocess.run(command, check=True, cwd=workplace)
    locked = tomllib.loads((workplace / "uv.lock").read_text())["package"]
    assert {package["name"] for package in locked} == named
    assert {folder.name for folder in members(workplace)} == named


def test_a_workspaces_environment_is_shared_by_its_members_alone(
    workplace: Path, project: Project
) -> None:
    table = '[tool.uv.workspace]\nmembers = ["packages/*/*"]\nexclude = ["packages/x*"]\n'
    (workplace / "pyproject.toml").write_text(table)
    interpreter = workplace / ".venv/bin/python"
    interpreter.parent.mkdir(parents=True)
    interpreter.touch()
    excluded = project(workplace / "packages/x/a", "a")
    member = project(workplace / "packages/y/b", "b")
    assert shared_interpreter(excluded) is None
    assert shared_interpreter(member) == interpreter
    (member / ".venv").mkdir()
    assert shared_interpreter(member) is None


def test_a_broken_project_file_on_the_way_shares_nothing(workplace: Path, project: Project) -> None:
    (workplace / "pyproject.toml").write_text("[tool.uv.workspace\n")
    assert shared_interpreter(project(workplace / "packages/a", "a")) is None


def test_without_a_lock_a_member_is_a_project_like_any_other(build: Build, workspace: Path) -> None:
    (workspace / "uv.lock").unlink()
    choice = choose(None, code=workspace / "packages/app")
    assert choice.why.startswith("the nearest description, ")
    environment = build(code=workspace / "packages/app")
    subprocess.run([environment.executable, "-B", "-c", "import app, lib, alpha"], check=True)
