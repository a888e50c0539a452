"""What a `pyproject.toml` says that matters to an environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.text_file import read_text

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
    def requires_python(self) -> str | None:
        value = (self.project or {}).get("requires-python")
        return value if isinstance(value, str) else None

    @property
    def is_package(self) -> bool:
        """The project itself can be installed, not only its dependencies.

        uv's rule: it has a build system, or says so.
        https://docs.astral.sh/uv/concepts/projects/config/#build-systems
        """
        said = (self.tool("uv") or {}).get("package")
        if isinstance(said, bool):
            return said
        return "build-system" in self.data or self.path.with_name("setup.py").is_file()

    @property
    def extras(self) -> frozenset[str] | None:
        """Normalised names of its extras; None if only its build backend knows them."""
        project = self.project
        if project is None or "optional-dependencies" in project.get("dynamic", ()):
            return None
        return frozenset(normalised(name) for name in project.get("optional-dependencies", ()))

    @property
    def groups(self) -> frozenset[str]:
        """Normalised names of its dependency groups (PEP 735)."""
        return frozenset(normalised(name) for name in self.data.get("dependency-groups", ()))

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


def normalised(name: str) -> str:
    """A name as packaging compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = data.get(name)
    return value if isinstance(value, Mapping) else None
