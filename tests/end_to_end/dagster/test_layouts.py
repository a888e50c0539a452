"""How public projects lie in their folders, rebuilt in small: each loads with one command."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import commands
from tests.end_to_end.daemons import CACHE

ASSET = """\
import dagster as dg

@dg.asset
def orders(): ...

defs = dg.Definitions(assets=[orders])
"""
PROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.10"\n'
HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PACKAGED = f'{HATCHLING}{PROJECT}dependencies = ["dagster"]\n'
CLOUD = "locations:\n- location_name: {}\n  code_source: {{{}}}\n"
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

Files = dict[str, str]
LAYOUTS: dict[str, tuple[str, Files, str]] = {
    "workspace below the project": (
        "orchestration",
        {
            "pyproject.toml": f'{PROJECT}dependencies = ["dagster"]\n',
            "orchestration/workspace.yaml": "load_from: [{python_file: defs.py}]",
            "orchestration/defs.py": ASSET,
        },
        "the nearest description, ROOT/pyproject.toml",
    ),
    "uv workspace with dg": (
        ".",
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["projects/*"]\n',
            "dg.toml": 'directory_type = "workspace"\n[workspace]\n'
            'projects = [{ path = "projects/shop" }]\n',
            "projects/shop/pyproject.toml": f'{PACKAGED}[tool.dg]\ndirectory_type = "project"\n'
            '[tool.dg.project]\nroot_module = "shop"\n',
            "projects/shop/src/shop/__init__.py": "",
            "projects/shop/src/shop/definitions.py": ASSET,
        },
        "the nearest description, ROOT/projects/shop/pyproject.toml",
    ),
    "Poetry": (
        ".",
        {
            "pyproject.toml": '[tool.poetry]\nname = "shop"\nversion = "1"\ndescription = ""\n'
            'authors = []\n[tool.poetry.dependencies]\npython = "^3.10"\ndagster = "*"\n'
            '[build-system]\nrequires = ["poetry-core"]\n'
            'build-backend = "poetry.core.masonry.api"\n'
            '[tool.dagster]\nmodule_name = "shop.definitions"\nproject_name = "shop"\n',
            "shop/__init__.py": "",
            "shop/definitions.py": ASSET,
        },
        "the nearest description, ROOT/pyproject.toml",
    ),
    "setup.py": (
        ".",
        {
            "setup.py": "from setuptools import find_packages, setup\n"
            'setup(name="shop", packages=find_packages(), install_requires=["dagster"])\n',
            "pyproject.toml": '[tool.dagster]\nmodule_name = "shop.definitions"\n',
            "shop/__init__.py": "",
            "shop/definitions.py": ASSET,
        },
        "the nearest description, ROOT/pyproject.toml",
    ),
    "requirements beside workspace.yaml": (
        ".",
        {
            "requirements.txt": "dagster\n",
            "workspace.yaml": "load_from: [{python_module: {module_name: shop}}]",
            "shop.py": ASSET,
        },
        "the nearest description, ROOT/requirements.txt",
    ),
    "dagster_cloud.yaml alone": (
        ".",
        {
            "dagster_cloud.yaml": CLOUD.format("shop", "package_name: shop"),
            "setup.py": "from setuptools import setup\n"
            'setup(name="shop", packages=["shop"], install_requires=["dagster"])\n',
            "shop/__init__.py": ASSET,
        },
        "the nearest description, ROOT/setup.py",
    ),
    "monorepo of three": (
        ".",
        {
            "workspace.yaml": "load_from:\n"
            + "".join(
                f"- python_file: {{relative_path: {n}/defs.py, location_name: {n}}}\n"
                for n in "abc"
            ),
            "a/pyproject.toml": f'{PROJECT}dependencies = ["dagster"]\n',
            "b/requirements.txt": "dagster\n",
            "c/Pipfile": '[packages]\ndagster = "*"\n',
            **{f"{n}/defs.py": ASSET for n in "abc"},
        },
        "the nearest description, ROOT/a/pyproject.toml",
    ),
    "symlinked sources": (
        "deploy",
        {
            "requirements.txt": "dagster\n",
            "code/shop/__init__.py": "",
            "code/shop/definitions.py": ASSET,
            "deploy/workspace.yaml": "load_from: [{python_module: shop.definitions}]",
            "deploy/shop": "-> ../code/shop",
        },
        "the nearest description, ROOT/requirements.txt",
    ),
    "notebook folder": (
        ".",
        {
            "requirements.txt": "dagster\n",
            "workspace.yaml": "load_from: [{python_file: notebooks/defs.py}]",
            "notebooks/explore.ipynb": json.dumps(NOTEBOOK),
            "notebooks/.ipynb_checkpoints/explore-checkpoint.ipynb": json.dumps(NOTEBOOK),
            "notebooks/defs.py": ASSET,
        },
        "the nearest description, ROOT/requirements.txt",
    ),
}
EXTRAS: Files = {
    "pyproject.toml": f"{PROJECT}dependencies = []\n"
    '[project.optional-dependencies]\ndev = ["dagster"]\n',
    "workspace.yaml": "load_from: [{python_file: {relative_path: defs.py, attribute: defs}}]",
    "defs.py": ASSET,
}


def lay(folder: Path, files: Files) -> None:
    (folder / ".git").mkdir(parents=True)
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            file.symlink_to(text.removeprefix("-> "))
        else:
            file.write_text(text)


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    environ = os.environ | {
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(CACHE),
    }
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "CODELOCD_SOCKET"):
        environ.pop(name, None)

    def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return commands.run(words, cwd=folder, environ=environ)

    return run


def checked(run: Run, folder: Path) -> list[dict[str, Any]]:
    done = run(folder, "check", "--json")
    assert done.stdout, f"exit code {done.returncode}: {done.stderr!r}"
    found: list[dict[str, Any]] = json.loads(done.stdout)["locations"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_loads_with_one_command_and_is_left_as_it_was(
    tmp_path: Path, run: Run, name: str
) -> None:
    where, files, why = LAYOUTS[name]
    root = tmp_path / "root"
    lay(root, files)
    before = sorted(root.rglob("*"))
    locations = checked(run, root / where)
    assert [each["problem"] for each in locations] == [None] * (3 if "three" in name else 1)
    assert all(each["definitions"]["asset"] == 1 for each in locations)
    assert sorted(root.rglob("*")) == before
    built = run(root / where, "env", "build").stderr
    assert why.replace("ROOT", str(root)) in built


@pytest.mark.slow
def test_extras_only_says_before_it_loads_what_would_mend_it_and_that_mends_it(
    tmp_path: Path, run: Run
) -> None:
    root = tmp_path / "root"
    lay(root, EXTRAS)
    [location] = checked(run, root)
    problem = location["problem"]
    assert problem["kind"] == "environment"
    assert problem["summary"] == (
        f"the environment has no dagster, which workspace.yaml is for; {root}/pyproject.toml has "
        f"it in its extra dev only: move it to dependencies, or write {root}/codelocd.toml, "
        'which is then read instead, with extras = ["dev"]'
    )
    (root / "codelocd.toml").write_text(problem["detail"])
    assert tomllib.loads(problem["detail"])["location"]["defs.py-defs"]
    [location] = checked(run, root)
    assert (location["ok"], location["problem"]) == (True, None)


MENDED = [
    ({}, "write dagster into ROOT/requirements.txt"),
    ({"requirements.txt": ""}, "add the line dagster to ROOT/requirements.txt"),
    ({"Pipfile": "[packages]"}, 'add dagster = "*" to [packages] in ROOT/Pipfile'),
    (
        {"setup.cfg": "[options]\ninstall_requires ="},
        "add dagster to install_requires in ROOT/setup.cfg",
    ),
    (
        {"pyproject.toml": "[tool.poetry]\npackage-mode = false"},
        'add dagster = "*" to [tool.poetry.dependencies] in ROOT/pyproject.toml',
    ),
]


@pytest.mark.parametrize(("files", "mend"), MENDED)
def test_an_environment_without_dagster_is_told_before_the_load_with_its_own_remedy(
    tmp_path: Path, run: Run, files: Files, mend: str
) -> None:
    root = tmp_path / "root"
    lay(root, {**files, "workspace.yaml": EXTRAS["workspace.yaml"], "defs.py": ASSET})
    [location] = checked(run, root)
    assert location["problem"]["kind"] == "environment"
    assert location["problem"]["summary"] == (
        "the environment has no dagster, which workspace.yaml is for; "
        + mend.replace("ROOT", str(root))
    )


def test_code_of_its_own_in_dagsters_format_needs_no_dagster(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "root"
    native = "from codeloc import Definitions\ndefs = Definitions()\n"
    lay(root, {"workspace.yaml": EXTRAS["workspace.yaml"], "defs.py": native})
    [location] = checked(run, root)
    assert location["ok"]
