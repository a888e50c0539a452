"""A build leaves nothing in the project's own folder, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs import Environment, EnvironmentProblem, Store
from codeloc_envs.install.leftovers import nothing_left, sweep_leftovers
from codeloc_envs.store.layout import Layout

Build = Callable[..., Environment]
MESS = """
    for name in (f"{NAME}.egg-info", "src/other.egg-info"):
        os.makedirs(os.path.join(HERE, name), exist_ok=True)
        with open(os.path.join(HERE, name, "PKG-INFO"), "w") as file:
            file.write("of this build")
    import helper
"""


@pytest.fixture
def layout(store_root: Path) -> Layout:
    layout = Layout(store_root)
    layout.prepare()
    return layout


def tree(folder: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_backend_writes_beside_the_sources_is_taken_away(
    build: Build, workplace: Path, project: Callable[..., Path], wheels: Path, fails: bool
) -> None:
    project(workplace, "alpha", trouble=MESS + ("    raise SystemExit(3)" if fails else ""))
    (workplace / "helper.py").write_text("")
    kept = workplace / "src/other.egg-info"
    kept.mkdir()
    (kept / "PKG-INFO").write_text("of the user")
    before = tree(workplace)
    if fails:
        with pytest.raises(EnvironmentProblem):
            build()
    else:
        assert list((build().path or Path()).glob("lib/*/site-packages/alpha-1.0.dist-info"))
    assert tree(workplace) == before


@pytest.mark.parametrize("backend", ["setuptools.build_meta", "mesonpy"])
def test_the_build_folder_goes_where_it_is_of_no_use_afterwards(
    layout: Layout, tmp_path: Path, backend: str
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f'[build-system]\nbuild-backend = "{backend}"\n')
    with nothing_left(layout, [folder], lambda: None):
        (folder / "build/lib").mkdir(parents=True)
        (folder / "p.so").touch()
    assert (folder / "build").exists() == (backend == "mesonpy")
    assert (folder / "p.so").exists(), "an editable installation imports it"


def test_what_was_in_the_build_folder_stays(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "p/build/mine").mkdir(parents=True)
    (tmp_path / "p/setup.py").write_text("setup()")
    with nothing_left(layout, [tmp_path / "p"], lambda: None):
        (tmp_path / "p/build/lib").mkdir()
        (tmp_path / "p/build/__editable__.p").mkdir()
    assert sorted(os.listdir(tmp_path / "p/build")) == ["__editable__.p", "mine"]


def test_the_next_build_puts_right_what_a_killed_one_could_not(
    layout: Layout, tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "p"
    (folder / "old.egg-info").mkdir(parents=True)
    (folder / "old.egg-info/PKG-INFO").write_text("before")
    (folder / "setup.py").write_text("setup()")
    before = tree(folder)
    script = f"""
import os, signal
from pathlib import Path
from codeloc_envs.store.layout import Layout
from codeloc_envs.install.leftovers import nothing_left
with nothing_left(Layout(Path({str(layout.root)!r})), [Path({str(folder)!r})], print):
    os.makedirs({str(folder / "new.egg-info")!r})
    os.makedirs({str(folder / "build/lib")!r})
    Path({str(folder / "old.egg-info/PKG-INFO")!r}).write_text("after")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert tree(folder) != before
    other = tmp_path / "other"
    other.mkdir()
    with nothing_left(layout, [other], lambda: None):
        sweep_leftovers(layout)  # of another project, whose build is under way: left alone
        assert list(layout.leftovers.iterdir())
    assert tree(folder) == before
    store.prune()
    assert not list(layout.leftovers.iterdir())
