"""The Pythons of a machine: all of them, never a shim, asked once."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from codeloc_envs import EnvironmentProblem, Store
from codeloc_envs.interpreter import Interpreter
from codeloc_envs.interpreters import Interpreters, NotAskedYetError, candidates
from codeloc_envs.request import PythonWish
from tests.pythons import PYENV, VERSIONS, interpreter


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.usefixtures("clean_shell")
def test_every_version_of_pyenv_is_found_under_a_bare_path(
    asked_pythons: Path, version: str
) -> None:
    interpreter(version)
    found = Interpreters(asked_pythons).find(PythonWish(version))
    assert found.text.startswith(version + ".")
    assert found.executable.is_relative_to(PYENV)


def test_what_was_asked_and_what_there_is_are_said(asked_pythons: Path) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        Interpreters(asked_pythons).find(PythonWish("3.99", "/x/.python-version"))
    summary = caught.value.summary
    assert summary.startswith("python 3.99 (/x/.python-version) not found; there is: ")
    assert f"{sys.version_info[0]}.{sys.version_info[1]}." in summary
    assert "looked in PATH, pyenv, mise" in summary
    assert summary.endswith('install it, or set python = "..." to one of these')


def test_a_python_that_requires_python_excludes_is_an_error_that_names_both(
    asked_pythons: Path, this_python: str
) -> None:
    wish = PythonWish(this_python, "/x/.python-version", ">=3.99", "/x/pyproject.toml")
    with pytest.raises(EnvironmentProblem) as caught:
        Interpreters(asked_pythons).find(wish)
    assert caught.value.summary == (
        f"python {this_python} (/x/.python-version) is not allowed by requires-python >=3.99 "
        "(/x/pyproject.toml); change one of the two"
    )


def test_a_shim_is_never_run(tmp_path: Path) -> None:
    shim = tmp_path / "bin" / "python3"
    shim.parent.mkdir()
    shim.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    shim.chmod(0o755)
    manager = tmp_path / "mise"
    shutil.copy("/bin/sh", manager)
    (tmp_path / "bin" / "python3.12").symlink_to(manager)
    places = [shim, tmp_path / "bin" / "python3.12"]
    assert Interpreters(tmp_path / "cache.json", lambda: places).every() == ()
    assert not (tmp_path / "ran").exists()


def test_folders_of_shims_are_no_places(tmp_path: Path) -> None:
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "python3").symlink_to(sys.executable)
    assert shims / "python3" not in set(candidates({"PATH": str(shims)}, tmp_path))


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("PYENV_ROOT", "versions/3.12.1"),
        ("MISE_DATA_DIR", "installs/python/3.12.1"),
        ("ASDF_DATA_DIR", "installs/python/3.12.1"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.12.1-linux"),
    ],
)
def test_version_managers_are_searched_where_they_keep_pythons(
    tmp_path: Path, variable: str, place: str
) -> None:
    binary = tmp_path / "elsewhere" / place / "bin" / "python3.12"
    binary.parent.mkdir(parents=True)
    binary.touch()
    found = set(candidates({variable: str(tmp_path / "elsewhere")}, tmp_path / "home"))
    assert binary in found


def test_the_usual_places_of_version_managers_and_conda_are_searched_without_variables(
    tmp_path: Path,
) -> None:
    places = [
        ".pyenv/versions/3.12.1",
        ".local/share/mise/installs/python/3.12.1",
        ".asdf/installs/python/3.12.1",
        ".local/share/uv/python/cpython-3.12.1-linux",
        "miniconda3",
        "miniforge3/envs/analysis",
    ]
    binaries = [tmp_path / place / "bin/python3" for place in places]
    for binary in binaries:
        binary.parent.mkdir(parents=True)
        binary.touch()
    assert set(binaries) <= set(candidates({}, tmp_path))


def test_virtual_environments_are_not_offered(tmp_path: Path) -> None:
    binary = tmp_path / "env" / "bin" / "python3"
    binary.parent.mkdir(parents=True)
    binary.symlink_to(sys.executable)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert Interpreters(tmp_path / "cache.json", lambda: [binary]).every() == ()


def test_one_binary_under_two_names_is_one_python(tmp_path: Path) -> None:
    real = Path(sys.executable).resolve()
    names = [real, tmp_path / "bin" / "python3"]
    names[1].parent.mkdir()
    names[1].symlink_to(real)
    found = Interpreters(tmp_path / "cache.json", lambda: names).every()
    assert [python.executable for python in found] == [real]


def test_a_python_is_asked_once_and_again_only_when_its_file_changes(tmp_path: Path) -> None:
    link = tmp_path / "bin" / "python3"
    link.parent.mkdir()
    link.symlink_to(Path(sys.executable).resolve())
    cache = tmp_path / "cache.json"
    with pytest.raises(NotAskedYetError):
        Interpreters(cache, lambda: [link]).every(ask=False)
    first = Interpreters(cache, lambda: [link]).every()
    assert Interpreters(cache, lambda: [link]).every(ask=False) == first
    link.unlink()
    link.symlink_to("/bin/sh")
    with pytest.raises(NotAskedYetError):
        Interpreters(cache, lambda: [link]).every(ask=False)
    assert Interpreters(cache, lambda: [link]).every() == ()


def test_a_broken_cache_is_only_a_cold_one(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    cache.write_text("{")
    found = Interpreters(cache, lambda: [Path(sys.executable).resolve()]).every()
    assert len(found) == 1
    assert json.loads(cache.read_text())


def test_a_python_is_named_by_its_path_or_its_folder(tmp_path: Path) -> None:
    real = Path(sys.executable).resolve()
    pythons = Interpreters(tmp_path / "cache.json", tuple)
    by_path = pythons.find(PythonWish(str(real), "asked for"))
    assert by_path.version[:2] == sys.version_info[:2]
    by_folder = pythons.find(PythonWish(str(real.parent.parent), "asked for"))
    assert by_folder.identity == by_path.identity
    with pytest.raises(EnvironmentProblem, match=r"/bin/sh \(asked for\) is no Python that runs"):
        pythons.find(PythonWish("/bin/sh", "asked for"))
    with pytest.raises(EnvironmentProblem, match=r"x \(asked for\) is no Python that runs"):
        pythons.find(PythonWish("/x" * 5000, "asked for"))


def test_a_store_lists_every_python(store: Store, asked_pythons: Path, this_python: str) -> None:
    assert store.pythons() == Interpreters(asked_pythons).every(ask=False)
    assert this_python in {python.label for python in store.pythons()}


def test_an_interpreter_survives_json(asked_pythons: Path) -> None:
    for python in Interpreters(asked_pythons).every(ask=False):
        assert Interpreter.from_json(json.loads(json.dumps(python.to_json()))) == python


def test_a_place_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    assert Interpreters(tmp_path / "c.json", lambda: [tmp_path / "gone" / "python3"]).every() == ()
