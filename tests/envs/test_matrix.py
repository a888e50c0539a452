"""Every way to describe an environment, on every Python of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from codeloc_envs import Environment, Request, Store, choose
from codeloc_envs.interpreters import Interpreters
from codeloc_envs.request import PythonWish, Specification
from tests.pythons import VERSIONS

Wheel = Callable[..., Path]
Project = Callable[..., Path]
Describe = Callable[[Path, str, Wheel, Project], tuple[Request | None, Path]]
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def packages(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[Request, Path]:
    return Request(python=python, packages=("alpha",)), folder


def requirements(
    folder: Path, python: str, wheel: Wheel, project: Project
) -> tuple[Request | None, Path]:
    """With an include, a constraint, a marker, a local package and the python of a file."""
    project(folder / "lib", "lib")
    (folder / ".python-version").write_text(f"# for all\n{python}\n")
    (folder / "requirements.txt").write_text(
        "-r more.txt\n-c limits.txt\n-e ./lib\nnothing; python_version < '3'\n"
    )
    (folder / "more.txt").write_text("alpha\n")
    (folder / "limits.txt").write_text("alpha<9\n")
    return None, folder


def hashes(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[Request, Path]:
    digest = sha256(wheel("alpha").read_bytes()).hexdigest()
    file = folder / "hashed.txt"
    file.write_text(f"alpha==1.0 \\\n    --hash=sha256:{digest}\n")
    return Request(python=python, requirements=(file,)), folder


def extras_and_groups(
    folder: Path, python: str, wheel: Wheel, project: Project
) -> tuple[Request, Path]:
    more = (
        '[project.optional-dependencies]\nfast = ["alpha"]\n'
        '[dependency-groups]\nbase = ["alpha"]\ndev = [{ include-group = "base" }]\n'
    )
    app = project(folder / "app", "app", more=more)
    return Request(python=python, project=app, extras=("fast",), groups=("dev",)), folder


def dependencies_alone(
    folder: Path, python: str, wheel: Wheel, project: Project
) -> tuple[Request | None, Path]:
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "app"\nversion = "1"\ndependencies = ["alpha"]\n'
        f'requires-python = "=={python}.*"\n'
    )
    return None, folder


def uv_lock(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[Request, Path]:
    app = project(folder / "app", "app", ("alpha",), more='requires-python = ">=3.8"\n')
    uv = [sys.executable, "-m", "uv", "lock", "--quiet", "--project", str(app)]
    subprocess.run(uv, check=True, cwd=app)
    return Request(python=python, lock=app / "uv.lock"), folder


def pylock(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[Request, Path]:
    file = wheel("alpha")
    digest = sha256(file.read_bytes()).hexdigest()
    (folder / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "a test"\n[[packages]]\nname = "alpha"\n'
        f'version = "1.0"\nwheels = [{{ name = "{file.name}", path = "{file}", '
        f'hashes = {{ sha256 = "{digest}" }} }}]\n'
    )
    return Request(python=python, lock=folder / "pylock.toml"), folder


def inline(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[None, Path]:
    script = folder / "defs.py"
    script.write_text(
        f'# /// script\n# requires-python = "=={python}.*"\n# dependencies = ["alpha"]\n# ///\n'
    )
    return None, script


def workspace(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[Request, Path]:
    (folder / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["members/*"]\n')
    member = project(folder / "members/app", "app", ("alpha",), more='requires-python = ">=3.8"\n')
    uv = [sys.executable, "-m", "uv", "lock", "--quiet", "--project", str(folder)]
    subprocess.run(uv, check=True, cwd=folder)
    return Request(python=python), member


def ready(folder: Path, python: str, wheel: Wheel, project: Project) -> tuple[None, Path]:
    """An environment of the user's, named by a file as PEP 832 has it."""
    own = folder / "elsewhere"
    uv = [sys.executable, "-m", "uv"]
    found = Interpreters(folder / "known.json").find(wish(python, folder))
    subprocess.run([*uv, "venv", "-q", "--python", found.executable, own], check=True)
    install = [*uv, "pip", "install", "-q", "--python", str(own / "bin/python"), "alpha"]
    subprocess.run(install, check=True)
    (folder / ".venv").write_text("elsewhere\n")
    return None, folder


DESCRIPTIONS: tuple[Describe, ...] = (
    packages,
    requirements,
    hashes,
    extras_and_groups,
    dependencies_alone,
    uv_lock,
    pylock,
    inline,
    workspace,
    ready,
)


def wish(python: str, folder: Path) -> PythonWish:
    return choose(Request(python=python), code=folder).specification.python


def check(store: Store, specification: Specification, python: str) -> Environment:
    """Built, importable, of that Python, and found again."""
    environment = store.find(specification) or store.build(specification, lambda _: None)
    code = "import alpha, json, sys; print(json.dumps([alpha.VERSION, sys.version_info[:2]]))"
    said = subprocess.check_output([environment.executable, "-B", "-c", code], text=True)
    assert json.loads(said) == ["1.0", [int(part) for part in python.split(".")]]
    again = store.find(specification)
    assert again is not None
    assert again.path == environment.path
    assert again.origin == ("existing" if environment.origin == "existing" else "reused")
    return environment


@pytest.mark.slow
@pytest.mark.parametrize("python", VERSIONS)
@pytest.mark.parametrize("describe", DESCRIPTIONS, ids=lambda describe: describe.__name__)
def test_each_description_on_each_python(
    describe: Describe,
    python: str,
    store: Store,
    workplace: Path,
    wheel: Wheel,
    project: Project,
    asked_pythons: Path,
) -> None:
    if not any(each.text.startswith(f"{python}.") for each in Interpreters(asked_pythons).every()):
        pytest.skip(f"Python {python} is not on this machine")
    wheel("alpha")
    request, code = describe(workplace, python, wheel, project)
    specification = choose(request, code=code).specification
    environment = check(store, specification, python)
    assert environment.python.startswith(f"{python}.")


@pytest.mark.parametrize("describe", DESCRIPTIONS, ids=lambda describe: describe.__name__)
def test_each_description_on_the_python_of_these_tests(
    describe: Describe, store: Store, workplace: Path, wheel: Wheel, project: Project
) -> None:
    wheel("alpha")
    request, code = describe(workplace, THIS, wheel, project)
    check(store, choose(request, code=code).specification, THIS)
