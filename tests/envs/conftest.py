"""Tiny packages, and a store that needs no network."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import Environment, Progress, Request, Store, choose
from codeloc_envs.install.uv_settings import NO_INDEX

BACKEND = """
import base64, hashlib, os, sys, zipfile

NAME, VERSION, DEPENDENCIES = {name!r}, {version!r}, {dependencies!r}
HERE = os.path.dirname(os.path.abspath(__file__))

def _write(directory, files):
    {trouble}
    wheel = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    requires = "".join(f"Requires-Dist: {{each}}\\n" for each in DEPENDENCIES)
    files[f"{{info}}/METADATA"] = (
        f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n{{requires}}"
    )
    files[f"{{info}}/WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{{info}}/RECORD"] = "".join(f"{{path}},,\\n" for path in files)
    with zipfile.ZipFile(os.path.join(directory, wheel), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel

def build_wheel(directory, config_settings=None, metadata_directory=None):
    module = NAME + ".py"
    return _write(directory, {{module: open(os.path.join(HERE, "src", module)).read()}})

def build_editable(directory, config_settings=None, metadata_directory=None):
    return _write(directory, {{f"{{NAME}}.pth": os.path.join(HERE, "src") + "\\n"}})
"""


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place that packages come from; `wheel` adds to it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_DEFAULT_INDEX", NO_INDEX)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(wheels: Path) -> Callable[..., Path]:
    """Adds a wheel with one module that has `VALUE` and `VERSION`."""

    def make(name: str, version: str = "1.0", *requires: str, value: str = "") -> Path:
        info = f"{name}-{version}.dist-info"
        lines = "".join(f"Requires-Dist: {each}\n" for each in requires)
        files = {
            f"{name}.py": f"VERSION = {version!r}\nVALUE = {value!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files)
        target = wheels / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(target, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        return target

    return make


@pytest.fixture
def project() -> Callable[..., Path]:
    """Makes a project whose build backend stands in it and needs nothing else."""

    def make(
        folder: Path,
        name: str,
        dependencies: tuple[str, ...] = (),
        *,
        value: str = "first",
        more: str = "",
        trouble: str = "pass",
    ) -> Path:
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / f"{name}.py").write_text(f"VALUE = {value!r}\n")
        (folder / "backend.py").write_text(
            BACKEND.format(name=name, version="1.0", dependencies=dependencies, trouble=trouble)
        )
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\nversion = "1.0"\n'
            f"dependencies = {list(dependencies)!r}\n{more}"
        )
        return folder

    return make


@pytest.fixture
def store_root(tmp_path: Path, asked_pythons: Path) -> Path:
    cache = tmp_path / "store" / "cache"
    cache.mkdir(parents=True)
    shutil.copy(asked_pythons, cache / "interpreters.json")
    return cache.parent


@pytest.fixture
def store(store_root: Path) -> Store:
    return Store(store_root)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """An empty project folder that nothing above is looked at from."""
    folder = tmp_path / "work"
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def build(store: Store, workplace: Path) -> Callable[..., Environment]:
    """Chooses and builds for code in `workplace`; `steps` collects the progress."""

    def run(
        request: Request | None = None,
        code: Path | None = None,
        steps: list[Progress] | None = None,
        refresh: bool = False,
    ) -> Environment:
        choice = choose(request, code=code or workplace)
        heard: list[Progress] = [] if steps is None else steps
        return store.build(choice.specification, heard.append, refresh=refresh)

    return run


@pytest.fixture
def this_python() -> str:
    """The version of a Python that is surely there: the one these tests run on."""
    return ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def clean_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under systemd: a bare PATH, and no version manager's variables."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in ("PYENV_ROOT", "PYENV_VERSION", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
