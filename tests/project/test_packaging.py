"""pyproject.toml says what is true."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

import codelocd

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {"prometheus-client": "prometheus_client", "pyyaml": "yaml"}
PROGRAMS = {"uv"}
LOADED_BY_OTHERS = {"websockets"}
"""Named in an argument: uvicorn imports it."""


def imported() -> set[str]:
    """The first part of every module that daemon, environments and page import."""
    found: set[str] = set()
    for root in ("supervisor", "envs", "ui"):
        for file in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.partition(".")[0])
    return found


def test_the_installed_version_is_the_one_in_the_code() -> None:
    assert importlib.metadata.version("codelocd") == codelocd.__version__


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d[^]]*)\]", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == codelocd.__version__


def test_the_command_starts_a_function_that_exists() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="codelocd")
    assert callable(script.load())


def test_every_dependency_is_one_that_the_code_imports() -> None:
    names = {Requirement(line).name for line in PROJECT["dependencies"]}
    names -= PROGRAMS | LOADED_BY_OTHERS
    assert {MODULES.get(name, name) for name in names} - imported() == set()


def test_every_package_is_typed() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package in packages["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (ROOT / package / "py.typed").exists()
