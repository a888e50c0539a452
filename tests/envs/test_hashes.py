"""Hashes that are written down are kept to, whichever format and installer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from codeloc_envs import Environment, EnvironmentProblem, Request
from codeloc_envs.request import Installation, InstallerName

Build = Callable[..., Environment]
Wheel = Callable[..., Path]
Project = Callable[..., Path]

WRONG = "0" * 64
UV_AND_SLOWLY_PIP = pytest.mark.parametrize(
    "installer", ["uv", pytest.param("pip", marks=pytest.mark.slow)], indirect=True
)
"""Builds with pip take a second and more each; of most tests the short form is that with uv."""


def hash_of(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def installed(environment: Environment, name: str) -> bool:
    assert environment.path is not None
    return any(environment.path.glob(f"lib/*/site-packages/{name}.py"))


def summary(build: Build, request: Request | None = None, code: Path | None = None) -> str:
    with pytest.raises(EnvironmentProblem) as caught:
        build(request, code=code)
    assert "\n" not in caught.value.summary
    return caught.value.summary


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest) -> InstallerName:
    name: InstallerName = request.param
    return name


@pytest.fixture
def ask(
    workplace: Path, wheels: Path, installer: InstallerName, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Request]:
    """Asks for requirements that are written into `requirements.txt`, of the installer."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def write(*lines: str) -> Request:
        file = workplace / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in lines))
        return Request(requirements=(file,), installation=Installation(installer=installer))

    return write


def test_right_hashes_install_and_a_wrong_one_names_file_line_and_package(
    build: Build, wheel: Wheel, ask: Callable[..., Request], workplace: Path
) -> None:
    alpha, beta = hash_of(wheel("alpha", "1.0", "beta")), hash_of(wheel("beta", "1.0"))
    lines = ("# pinned", "alpha==1.0 \\", f"    --hash=sha256:{alpha}")
    environment = build(ask(*lines, f"beta==1.0 --hash=sha256:{beta}"))
    assert installed(environment, "alpha")
    assert installed(environment, "beta")
    said = summary(build, ask(*lines, f"beta==1.0 --hash=sha256:{WRONG}"))
    assert said.startswith(f"{workplace}/requirements.txt, line 4: ")
    assert "beta" in said
    assert "find out why the file changed" in said


@UV_AND_SLOWLY_PIP
def test_where_one_requirement_has_a_hash_each_needs_one(
    build: Build, wheel: Wheel, ask: Callable[..., Request], workplace: Path
) -> None:
    alpha = hash_of(wheel("alpha", "1.0", "beta"))
    beta = hash_of(wheel("beta", "1.0"))
    hashed = f"alpha==1.0 --hash=sha256:{alpha}"
    said = summary(build, ask(hashed))
    assert "beta" in said
    assert "where one requirement has a hash, each needs" in said
    assert "has no hash" in summary(build, ask(hashed, "beta==1.0"))
    (workplace / "pins.txt").write_text(f"beta==1.0 --hash=sha256:{beta}\n")
    assert installed(build(ask(hashed, "beta==1.0", "-c pins.txt")), "beta")
    with_packages = Request(packages=("beta==1.0",), requirements=ask("-r pins.txt").requirements)
    assert installed(build(with_packages), "beta")


@UV_AND_SLOWLY_PIP
def test_an_environment_built_without_hashes_is_no_way_around_a_wrong_one(
    build: Build, wheel: Wheel, ask: Callable[..., Request]
) -> None:
    wheel("alpha")
    build(ask("alpha==1.0"))
    assert "alpha" in summary(build, ask(f"alpha==1.0 --hash=sha256:{WRONG}"))


def test_of_several_files_only_those_whose_hash_is_named_are_installed(
    build: Build, wheel: Wheel, wheels: Path, workplace: Path
) -> None:
    plain = wheel("alpha")
    shutil.copy(plain, wheels / "alpha-1.0-1build-py3-none-any.whl")
    other = wheel("alpha", value="another file")
    named = workplace / "requirements.txt"
    for file in (wheels / "alpha-1.0-1build-py3-none-any.whl", other):
        named.write_text(f"alpha==1.0 --hash=sha256:{hash_of(file)}\n")
        environment = build()
        assert environment.path is not None
        (module,) = environment.path.glob("lib/*/site-packages/alpha.py")
        assert ("another file" in module.read_text()) == (file is other)


def test_a_folder_has_no_hash(
    build: Build, wheel: Wheel, project: Project, workplace: Path
) -> None:
    alpha = hash_of(wheel("alpha"))
    project(workplace / "lib", "lib")
    file = workplace / "requirements.txt"
    file.write_text(f"alpha==1.0 --hash=sha256:{alpha}\n-e ./lib\n")
    assert summary(build) == (
        f"lib is a folder or a repository, which has no hash; {file}, line 1: "
        "where one requirement has a hash, each needs one"
    )


def test_require_hashes_without_any_and_more_faults_than_one_are_told_together(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    wheel("alpha")
    wheel("beta")
    file = workplace / "requirements.txt"
    file.write_text("--require-hashes\nalpha==1.0\nbeta==1.0\n")
    assert summary(build) == (
        f"{file}, line 2: alpha has no hash, line 1 asks for one; "
        "where one requirement has a hash, each needs one (and 1 more)"
    )


def test_an_address_with_a_wrong_hash_is_refused(
    build: Build, wheel: Wheel, workplace: Path
) -> None:
    alpha = wheel("alpha")
    file = workplace / "requirements.txt"
    file.write_text(f"alpha @ {alpha.as_uri()} --hash=sha256:{hash_of(alpha)}\n")
    assert installed(build(), "alpha")
    file.write_text(f"{alpha.as_uri()} --hash=sha256:{hash_of(alpha)}\n")
    assert installed(build(), "alpha")
    file.write_text(f"\n{alpha.as_uri()} --hash=sha256:{WRONG}\n")
    assert summary(build).startswith(f"{file}, line 2: ")


def test_the_hashes_of_a_pipfile_lock_hold_for_what_has_some(
    build: Build, wheel: Wheel, project: Project, workplace: Path
) -> None:
    alpha = hash_of(wheel("alpha", "1.0", "beta"))
    wheel("beta")
    project(workplace / "lib", "lib")
    lock = workplace / "Pipfile.lock"

    def write(digest: str) -> None:
        data = {
            "_meta": {"requires": {}, "sources": []},
            "default": {
                "alpha": {"version": "==1.0", "hashes": [f"sha256:{digest}"]},
                "lib": {"editable": True, "path": "./lib"},
            },
        }
        lock.write_text(json.dumps(data, indent=4))

    write(alpha)
    environment = build()
    assert installed(environment, "alpha")
    assert installed(environment, "beta")
    write(WRONG)
    line = 1 + next(at for at, text in enumerate(lock.read_text().splitlines()) if WRONG in text)
    assert summary(build).startswith(f"{lock}, line {line}: no file of alpha 1.0 that there is")


def test_a_wrong_hash_in_a_pylock_names_its_line(
    build: Build, wheel: Wheel, workplace: Path, installer: InstallerName
) -> None:
    file = wheel("alpha")
    lock = workplace / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "alpha"\n'
        f'version = "1.0"\nwheels = [{{ name = "{file.name}", url = "{file.as_uri()}", '
        f'hashes = {{ sha256 = "{WRONG}" }} }}]\n'
    )
    asked = Request(lock=lock, installation=Installation(installer=installer))
    assert summary(build, asked).startswith(f"{lock}, line 6: alpha==1.0: what the index serves")
