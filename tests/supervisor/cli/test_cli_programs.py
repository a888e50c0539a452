"""Whether a program belongs to a location's environment."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from codelocd.cli.programs import ProgramPlace, found, may_be_packaged, outsider


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "env"
    venv.create(folder, symlinks=True, with_pip=False)
    return folder


@pytest.fixture
def place(environment: Path, tmp_path: Path) -> ProgramPlace:
    """A project that has the environment, and a folder of strangers behind it on PATH."""
    (tmp_path / "project").mkdir()
    (tmp_path / "strangers").mkdir()
    search = os.pathsep.join(map(str, (environment / "bin", tmp_path / "strangers", "/usr/bin")))
    python = environment / "bin" / "python"
    return ProgramPlace(python, environment, tmp_path / "project", tmp_path / "project", search)


def script(path: Path, first: str, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(f"{first}\n")
    path.chmod(mode)
    return path


def test_the_first_on_the_path_is_found_that_can_be_run(place: ProgramPlace) -> None:
    strangers = place.directory.parent / "strangers"
    script(strangers / "tool", "#!/bin/sh")
    assert found("tool", place) == strangers / "tool"
    blocked = script(place.project / "plain", "x", mode=0o644)
    assert found("./plain", place) == blocked
    assert found("plain", place) is None
    assert found("", place) is None
    assert found("sh", place) == Path("/usr/bin/sh")


def test_the_python_of_an_environment_is_inside_although_it_is_a_link(place: ProgramPlace) -> None:
    python = found("python", place)
    assert python is not None
    assert python.is_symlink()
    assert outsider(python, place) is None


def test_a_script_of_the_environment_is_inside_unless_another_python_runs_it(
    place: ProgramPlace,
) -> None:
    assert place.prefix is not None
    bin_folder = place.prefix / "bin"
    own = script(bin_folder / "own", f"#!{bin_folder}/python3")
    shell = script(bin_folder / "activated", "#!/bin/sh")
    long = script(bin_folder / "long", f"#!/bin/sh\n'''exec' '{bin_folder}/python' \"$0\" \"$@\"")
    moved = script(bin_folder / "moved", "#!/elsewhere/bin/python3.12")
    other = script(bin_folder / "other", "#!/bin/sh\n'''exec' /x/python \"$0\" \"$@\"\n' '''")
    assert [outsider(each, place) for each in (own, shell, long)] == [None, None, None]
    assert outsider(moved, place) == Path("/elsewhere/bin/python3.12")
    assert outsider(other, place) == Path("/x/python")


def test_a_script_of_the_project_is_inside_where_the_environment_runs_it(
    place: ProgramPlace,
) -> None:
    assert place.prefix is not None
    load = script(place.project / "scripts" / "load.py", "#!/usr/bin/env python3")
    flags = script(place.project / "flags.py", "#!/usr/bin/env -S A=b python -u")
    direct = script(place.project / "direct.py", f"#!{place.prefix}/bin/python")
    assert [outsider(each, place) for each in (load, flags, direct)] == [None, None, None]
    shell = script(place.project / "run.sh", "#!/bin/sh")
    fixed = script(place.project / "fixed.py", "#!/usr/bin/python3")
    text = script(place.project / "text", "no first line")
    link = place.project / "git"
    link.symlink_to("/usr/bin/env")
    assert outsider(shell, place) == Path("/bin/sh")
    assert outsider(fixed, place) == Path("/usr/bin/python3")
    assert [outsider(each, place) for each in (text, link)] == [text, link]


def test_everything_else_is_outside(place: ProgramPlace) -> None:
    strangers = place.directory.parent / "strangers"
    pytest_script = script(strangers / "pytest", "#!/usr/bin/python3")
    borrowed = script(strangers / "borrowed", "#!/usr/bin/env python")
    for each in (pytest_script, borrowed, Path("/usr/bin/env"), Path(sys.executable)):
        assert outsider(each, place) == each
    assert may_be_packaged(pytest_script, place)
    assert not may_be_packaged(Path("/usr/bin/env"), place)
    shim = script(place.directory.parent / "shims" / "pytest", "#!/usr/bin/env bash")
    assert not may_be_packaged(shim, place)
    script(shim.with_name("python3.12"), "#!/usr/bin/env bash")
    assert may_be_packaged(shim, place)


def test_an_interpreter_that_is_used_as_it_is_has_no_folder_of_its_own(
    place: ProgramPlace, tmp_path: Path
) -> None:
    python = Path(os.path.realpath(sys.executable))
    bare = ProgramPlace(python, None, place.directory, place.project, f"{python.parent}:/usr/bin")
    alias = tmp_path / "python9"
    alias.symlink_to(python)
    assert outsider(python, bare) is None
    assert outsider(alias, bare) is None
    assert outsider(script(tmp_path / "tool", f"#!{python}"), bare) is None
    assert outsider(Path("/usr/bin/env"), bare) == Path("/usr/bin/env")
