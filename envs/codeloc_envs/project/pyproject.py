"""Reads from a project's `pyproject.toml`, or what stands for it, what an environment needs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from codeloc_envs.files import read_text
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project import setuptools_files
from codeloc_envs.project.other_tools import poetry_python, poetry_requirements

_BYSTANDERS = (
    "autopep8 bandit basedpyright black codelocd codespell commitizen coverage dagster deptry dg "
    "flake8 import-linter importlinter interrogate isort mypy pydocstyle pylint pyrefly pyright "
    "pytest refurb ruff semantic_release tox towncrier ty vulture yapf"
)
BYSTANDERS = frozenset(_BYSTANDERS.split())
"""Tables of `[tool]` that neither a build backend nor an installer reads."""


@dataclass(frozen=True, slots=True)
class Pyproject:
    """A parsed `pyproject.toml`."""

    path: Path
    data: Mapping[str, Any]

    @property
    def project(self) -> Mapping[str, Any] | None:
        """The `[project]` table."""
        return _table(self.data, "project")

    @property
    def poetry(self) -> Mapping[str, Any] | None:
        """`[tool.poetry]`, where it is what describes the project."""
        return self.tool("poetry") if self.project is None else None

    @property
    def describes(self) -> bool:
        """It says what is to be installed."""
        return (
            self.project is not None
            or self.poetry is not None
            or setuptools_files.describing(self.path.parent) is not None
        )

    @property
    def requires_python(self) -> str | None:
        if self.project is not None:
            value = self.project.get("requires-python")
            return value if isinstance(value, str) else None
        if self.poetry is not None:
            return poetry_python(self.poetry)
        return setuptools_files.requires_python(self.path.parent)

    @property
    def is_package(self) -> bool:
        """The project itself can be installed, not only its dependencies.

        uv's rule: it has a build system, or says so.
        https://docs.astral.sh/uv/concepts/projects/config/#build-systems
        Poetry's: unless it says `package-mode = false`.
        """
        said = (self.tool("uv") or {}).get("package")
        if isinstance(said, bool):
            return said
        if self.poetry is not None and self.poetry.get("package-mode") is False:
            return False
        if "build-system" in self.data or self.path.with_name("setup.py").is_file():
            return True
        return self.project is None and self.poetry is None and self.path.name != "setup.cfg"

    def loose_requirements(
        self, extras: tuple[str, ...], groups: tuple[str, ...]
    ) -> list[str] | None:
        """What a project that is no package needs, where only another tool reads it.

        As lines of a requirements file; None where pip and uv read it themselves. Raises
        EnvironmentProblem for what has no such line.
        """
        if self.path.name == "setup.cfg":
            return setuptools_files.requirements(self.path.parent, extras)
        if self.poetry is None:
            return None
        return poetry_requirements(self.poetry, self.path, extras, groups)

    @property
    def extras(self) -> frozenset[str] | None:
        """Normalised names of its extras; None if only its build backend knows them."""
        project = self.project
        if project is None and self.poetry is not None:
            return frozenset(
                canonicalize_name(name) for name in _table(self.poetry, "extras") or ()
            )
        if project is None or "optional-dependencies" in project.get("dynamic", ()):
            return None
        return frozenset(
            canonicalize_name(name) for name in project.get("optional-dependencies", ())
        )

    @property
    def groups(self) -> frozenset[str]:
        """Normalised names of its dependency groups (PEP 735)."""
        named = {*self.data.get("dependency-groups", ())}
        if self.poetry is not None and not self.is_package:
            named |= {*(_table(self.poetry, "group") or ())}
        return frozenset(map(canonicalize_name, named))

    def tool(self, name: str) -> Mapping[str, Any] | None:
        """The table `[tool.name]`."""
        return _table(_table(self.data, "tool") or {}, name)

    @property
    def relevant(self) -> dict[str, Any]:
        """Everything but the tables of tools that change nothing in an environment."""
        tools = {
            name: value
            for name, value in (_table(self.data, "tool") or {}).items()
            if name not in BYSTANDERS
        }
        return {**self.data, "tool": tools}


def read_pyproject(path: Path) -> Pyproject:
    """Raises EnvironmentProblem if it is missing or not TOML."""
    text = read_text(path, "project file")
    try:
        return Pyproject(path, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentProblem(f"{path} is not valid TOML: {error}", inputs=(path,)) from None


def seen_pyproject(path: Path) -> Pyproject | None:
    """One that is looked at for what it may say; None where it is missing or cannot be read."""
    try:
        return read_pyproject(path)
    except EnvironmentProblem:
        return None


def read_project(folder: Path) -> Pyproject:
    """The project in `folder`: what its `pyproject.toml` says, or its `setup.py` or `setup.cfg`.

    Raises EnvironmentProblem if there is none of them.
    """
    file = folder / "pyproject.toml"
    stands_for_it = None if file.is_file() else setuptools_files.describing(folder)
    return Pyproject(stands_for_it, {}) if stands_for_it else read_pyproject(file)


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = data.get(name)
    return value if isinstance(value, Mapping) else None
