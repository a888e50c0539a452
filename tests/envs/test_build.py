"""Every description becomes an environment that holds it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from uv import find_uv_bin

from codeloc_envs import Environment, Progress, Request, Store, choose
from tests.pythons import VERSIONS, interpreter

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
Project = Callable[..., Path]


def says(environment: Environment, expression: str, modules: str = "") -> str:
    code = f"import {modules or expression.split('.')[0]}; print({expression})"
    done = subprocess.run(
        [environment.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    return done.stdout.strip() or done.stderr


def test_packages(build: Build, wheel: Wheel) -> None:
    wheel("beta", "2.0", value="of beta")
    wheel("alpha", "1.0", "beta>=1")
    environment = build(Request(packages=("alpha",)))
    assert says(environment, "beta.VALUE") == "of beta"
    assert environment.origin == "built"


@pytest.mark.parametrize("version", VERSIONS)
def test_packages_on_every_python(build: Build, wheel: Wheel, version: str) -> None:
    interpreter(version)
    wheel("alpha", value="here")
    environment = build(Request(packages=("alpha",), python=version))
    assert environment.python.startswith(version + ".")
    assert says(environment, "alpha.VALUE") == "here"
    assert says(environment, "sys.version.split()[0]") == environment.python
    assert says(environment, "sys.prefix") == str(environment.path)


def test_requirements_with_includes_constraints_markers_and_hashes(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    wheel("alpha", "1.0")
    wheel("alpha", "2.0")
    wheel("beta", "1.0")
    (workplace / "requirements.txt").write_text("-r more.txt\n-c limits.txt\nalpha\n")
    (workplace / "more.txt").write_text("beta\ngone ; python_version < '3'\n")
    (workplace / "limits.txt").write_text("alpha<2\n")
    environment = build()
    assert says(environment, "alpha.VERSION + beta.VERSION", "alpha, beta") == "1.01.0"


def test_a_local_package_in_requirements_is_found_from_their_folder(
    build: Build, workplace: Path, wheels: Path, project: Project
) -> None:
    project(workplace / "lib", "lib")
    (workplace / "requirements.txt").write_text("./lib\n")
    assert says(build(), "lib.VALUE") == "first"


def test_an_edit_of_a_copied_local_package_makes_another_environment(
    build: Build, store: Store, workplace: Path, wheels: Path, project: Project
) -> None:
    lib = project(workplace / "lib", "lib") / "src/lib.py"
    (workplace / "requirements.txt").write_text("./lib\n")
    before = build()
    choice = choose(None, code=workplace)
    found = store.find(choice.specification)
    assert found is not None
    assert lib in before.sources
    assert found.sources == before.sources
    lib.write_text("VALUE = 'other'\n")
    assert store.find(choice.specification) is None
    after = build()
    assert after.key != before.key
    assert says(after, "lib.VALUE") == "other"
    assert says(before, "lib.VALUE") == "first"


def test_a_project_is_itself_editable_with_its_dependencies(
    build: Build, wheel: Wheel, workplace: Path, project: Project
) -> None:
    wheel("alpha")
    folder = project(workplace / "app", "app", ("alpha",))
    tree = sorted(path.name for path in folder.rglob("*"))
    environment = build(code=folder)
    (folder / "src/app.py").write_text("VALUE = 'edited'\n")
    assert says(environment, "app.VALUE") == "edited"
    assert says(environment, "alpha.VERSION") == "1.0"
    assert build(code=folder).origin == "reused"
    assert sorted(path.name for path in folder.rglob("*") if "__pycache__" not in str(path)) == tree


def test_a_project_with_extras_and_groups(
    build: Build, wheel: Wheel, workplace: Path, project: Project
) -> None:
    for name in ("alpha", "beta", "gamma"):
        wheel(name)
    more = (
        '[project.optional-dependencies]\nx = ["alpha"]\ny = ["gamma"]\n'
        '[dependency-groups]\nbase = ["beta"]\ndev = [{ include-group = "base" }]\n'
    )
    folder = project(workplace / "app", "app", more=more)
    backend = folder / "backend.py"
    backend.write_text(
        backend.read_text().replace(
            'files[f"{info}/METADATA"] = (',
            "requires += \"Provides-Extra: x\\nRequires-Dist: alpha; extra == 'x'\\n\"\n"
            '    files[f"{info}/METADATA"] = (',
        )
    )
    environment = build(Request(project=folder, extras=("x",), groups=("dev",)))
    assert says(environment, "alpha.VERSION + beta.VERSION", "alpha, beta") == "1.01.0"
    assert "ModuleNotFoundError" in says(environment, "gamma.VERSION")


def test_a_project_without_a_build_system_gives_its_dependencies_alone(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    wheel("alpha")
    wheel("beta")
    (workplace / "pyproject.toml").write_text(
        '[project]\nname = "scripts"\nversion = "0"\ndependencies = ["alpha"]\n'
        '[project.optional-dependencies]\nx = ["beta"]\n'
    )
    assert says(build(), "alpha.VERSION") == "1.0"
    environment = build(Request(project=workplace, extras=("x",)))
    assert says(environment, "beta.VERSION") == "1.0"


def test_inline_script_metadata(build: Build, wheel: Wheel, workplace: Path) -> None:
    wheel("alpha")
    script = workplace / "script.py"
    block = '# /// script\n# requires-python = ">=3.9,<3.13"\n# dependencies = ["alpha"]\n# ///\n'
    script.write_text(block)
    environment = build(code=script)
    assert says(environment, "alpha.VERSION") == "1.0"
    assert says(environment, "(3, 9) <= sys.version_info < (3, 13)", "sys") == "True"
    script.write_text(block + "anything = 1\n")
    assert build(code=script).origin == "reused"


def test_inline_script_metadata_with_uvs_own_sources(
    build: Build, wheels: Path, workplace: Path, project: Project
) -> None:
    project(workplace / "lib", "lib")
    script = workplace / "script.py"
    script.write_text(
        '# /// script\n# requires-python = ">=3.9"\n# dependencies = ["lib"]\n'
        '# [tool.uv.sources]\n# lib = { path = "lib" }\n# ///\n'
    )
    assert says(build(code=script), "lib.VALUE") == "first"
    assert not (workplace / "script.py.lock").exists()


def test_a_uv_lock(build: Build, wheel: Wheel, workplace: Path, project: Project) -> None:
    wheel("alpha", "1.0")
    folder = project(workplace / "app", "app", ("alpha",), more='requires-python = ">=3.9"\n')
    subprocess.run(
        [find_uv_bin(), "lock", "--quiet"],
        cwd=folder,
        check=True,
        env={**os.environ, "UV_CACHE_DIR": str(workplace / "cache")},
    )
    wheel("alpha", "2.0")
    locked = (folder / "uv.lock").read_bytes()
    environment = build(code=folder)
    assert says(environment, "alpha.VERSION + app.VALUE", "alpha, app") == "1.0first"
    assert (folder / "uv.lock").read_bytes() == locked


def test_a_pylock(build: Build, wheel: Wheel, workplace: Path) -> None:
    file = wheel("alpha", "1.0")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (workplace / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "alpha"\n'
        f'version = "1.0"\nwheels = [{{ url = "{file.as_uri()}", '
        f'hashes = {{ sha256 = "{digest}" }} }}]\n'
    )
    environment = build()
    assert says(environment, "alpha.VERSION") == "1.0"
    assert build().origin == "reused"


def test_nothing_at_all_gives_a_bare_environment(build: Build) -> None:
    environment = build()
    assert says(environment, "sys.prefix") == str(environment.path)
    assert "ModuleNotFoundError" in says(environment, "pip.__version__")


def test_two_ways_to_say_the_same_share_an_environment(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    wheel("alpha", "1.0")
    (workplace / "requirements.txt").write_text("alpha==1.0\n")
    assert build(Request(packages=("alpha",))).path == build().path


def test_an_unpinned_description_keeps_its_versions_until_a_refresh(
    build: Build, wheel: Wheel
) -> None:
    wheel("alpha", "1.0")
    before = build(Request(packages=("alpha",)))
    wheel("alpha", "2.0")
    assert build(Request(packages=("alpha",))) == _reused(before)
    after = build(Request(packages=("alpha",)), refresh=True)
    assert says(after, "alpha.VERSION") == "2.0"
    assert build(Request(packages=("alpha",))) == _reused(after)


def test_progress_tells_the_phases_with_counts(build: Build, wheel: Wheel) -> None:
    wheel("beta", "2.0")
    wheel("alpha", "1.0", "beta")
    steps: list[Progress] = []
    build(Request(packages=("alpha",)), steps=steps)
    phases = list(dict.fromkeys(step.phase for step in steps))
    assert phases == ["resolving", "creating", "installing", "ready"]
    counts = [(step.phase, step.done, step.total) for step in steps if step.total is not None]
    assert ("resolving", 2, 2) in counts
    assert ("installing", 0, 2) in counts
    assert ("installing", 2, 2) in counts


def test_the_scripts_of_an_environment_run(build: Build, wheel: Wheel, workplace: Path) -> None:
    environment = build()
    found = subprocess.run(
        [environment.executable.parent / "python3", "-c", "print('ran')"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "ran\n"
    assert environment.variables == {"VIRTUAL_ENV": str(environment.path)}


def test_an_environment_survives_json(build: Build) -> None:
    environment = build()
    assert Environment.from_json(environment.to_json()) == environment


def _reused(environment: Environment) -> Environment:
    return Environment.from_json({**environment.to_json(), "origin": "reused"})
