"""What Poetry and Pipenv write, in the words of pip; and what a setup.cfg asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem
from codeloc_envs.project.other_tools import (
    pipenv_requirements,
    poetry_requirements,
    poetry_specifier,
)
from codeloc_envs.project.pyproject import read_project

FILE = Path("/p/pyproject.toml")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.*", "==1.2.*"),
        (">=3.10,<3.14", ">=3.10,<3.14"),
        (">=3.10 <3.14", ">=3.10,<3.14"),
        ("*", ""),
        ("^3.9 || ^4.0", None),
        ("soon", None),
    ],
)
def test_poetrys_versions_are_understood(said: str, meant: str | None) -> None:
    assert poetry_specifier(said) == meant


def test_a_project_of_poetry_that_is_no_package_is_its_dependencies(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = "^3.10"
alpha = "^1.2"
beta = { version = "*", extras = ["x", "y"], python = "<3.12" }
gamma = { git = "https://example.org/g.git", tag = "v1" }
delta = { path = "../delta", develop = true }
epsilon = { version = ">=2", optional = true }
[tool.poetry.extras]
more = ["epsilon"]
[tool.poetry.group.dev.dependencies]
zeta = "1.0"
"""
    )
    project = read_project(tmp_path)
    assert not project.is_package
    assert project.loose_requirements((), ()) == [
        "alpha>=1.2,<2",
        'beta[x,y] ; python_full_version < "3.12"',
        "gamma @ git+https://example.org/g.git@v1",
        f"-e {tmp_path.parent / 'delta'}",
    ]
    assert (project.loose_requirements(("more",), ("dev",)) or [])[-2:] == [
        "epsilon>=2",
        "zeta==1.0",
    ]
    assert (project.extras, project.groups) == (frozenset({"more"}), frozenset({"dev"}))


def test_a_version_that_pip_cannot_be_told_is_named() -> None:
    table = {"dependencies": {"alpha": "^1 || ^2"}}
    with pytest.raises(EnvironmentProblem, match="alpha has a version that pip cannot be told"):
        poetry_requirements(table, FILE, (), ())


def test_a_pipfile_is_its_packages_and_its_other_indexes(tmp_path: Path) -> None:
    file = tmp_path / "Pipfile"
    file.write_text(
        """\
[[source]]
name = "pypi"
url = "https://one.example/simple"
[[source]]
name = "ours"
url = "https://${USER}@two.example/simple"
[packages]
alpha = "*"
beta = { version = ">=2", markers = "sys_platform == 'linux'" }
shop = { editable = true, path = "." }
[dev-packages]
gamma = "*"
"""
    )
    assert pipenv_requirements(file) == [
        "--extra-index-url https://${USER}@two.example/simple",
        "alpha",
        "beta>=2 ; sys_platform == 'linux'",
        f"-e {tmp_path}",
    ]
    file.write_text("[packages\n")
    with pytest.raises(EnvironmentProblem, match="cannot be parsed"):
        pipenv_requirements(file)


def test_a_setup_cfg_that_stands_alone_is_its_requirements(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("alpha\n")
    (tmp_path / "setup.cfg").write_text(
        "[options]\ninstall_requires = file: base.txt\n"
        "[options.extras_require]\ndev =\n  beta>=1\n  gamma; python_version < '4'\n"
    )
    project = read_project(tmp_path)
    assert not project.is_package
    assert project.loose_requirements(("dev",), ()) == [
        "alpha",
        "beta>=1",
        "gamma; python_version < '4'",
    ]
