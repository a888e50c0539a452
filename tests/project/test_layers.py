"""The layers that pyproject.toml states."""

import os
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("supervisor", "runner", "envs", "ui")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(root / name) for name in SOURCES)},
        text=True,
        capture_output=True,
        check=False,
    )


def file_of(module: str, root: Path) -> Path:
    """The file of a module, below any of the source roots."""
    path = module.replace(".", "/")
    return next(
        file
        for source in SOURCES
        for file in (root / source / f"{path}.py", root / source / path / "__init__.py")
        if file.exists()
    )


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    for source in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / source, tmp_path / source, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def violations() -> dict[str, list[tuple[str, str]]]:
    """By the name of each contract, for each module that it is about: who must not import whom."""
    found = {}
    for contract in CONTRACTS:
        if contract["type"] == "forbidden":
            sources, forbidden = contract["source_modules"], contract["forbidden_modules"]
            apart = [(source, forbidden[0]) for source in sources]
            apart += [(sources[0], module) for module in forbidden[1:]]
        elif contract["type"] == "independence":
            modules = contract["modules"]
            apart = [(a, b) for a in modules for b in modules if a != b]
        else:
            apart = [(below, above) for above, below in pairwise(_first_of_each_layer(contract))]
        found[contract["name"]] = apart
    return found


def _first_of_each_layer(contract: dict[str, Any]) -> list[str]:
    (container,) = contract["containers"]
    return [f"{container}.{layer.split('|')[0].strip()}" for layer in contract["layers"]]


def test_every_contract_is_kept() -> None:
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_contract_has_a_violation_to_be_tested_with() -> None:
    assert len(violations()) == len(CONTRACTS)
    assert all(violations().values())


def test_no_command_but_top_loads_what_draws_on_the_whole_terminal() -> None:
    code = """
import importlib, pkgutil, sys
import codelocd, codelocd_ui
for package in (codelocd, codelocd_ui):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(*sorted({"codelocd_top", "rich", "textual"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("contract", violations())
def test_a_contract_breaks_and_each_violation_of_it_is_named(
    copied_tree: Path, contract: str
) -> None:
    apart = violations()[contract]
    for who, whom in apart:
        with file_of(who, copied_tree).open("a") as file:
            file.write(f"\nimport {whom}\n")
    linted = lint_imports(copied_tree)
    assert linted.returncode == 1
    assert f"{contract} BROKEN" in linted.stdout
    assert [pair for pair in apart if "{} -> {} (l.".format(*pair) not in linted.stdout] == []
