"""Environments: found again, made from nothing, and installed from a warm package cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._daemon import folder
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from codeloc_envs import Request, Store, choose
from codeloc_envs.install.uv_settings import variables_for_uv
from codeloc_envs.project.pylock import pinned, read_lock
from codeloc_envs.request import Specification

PACKAGES = ("dagster", "pandas")
EXTRA = "iniconfig"
FIND, CREATE, INSTALL = 10.0, 30.0, 1.5
"""Targets: ms, ms, s."""
SLOW_RUNS = 3
"""Times that pip is measured: it takes ten seconds."""


def measure(runs: int) -> list[Figure]:
    """All in one store, whose package cache the first build has filled."""
    with folder() as home:
        store, code = Store(home / "store"), home / "code"
        code.mkdir()
        bare = choose(None, code=code).specification
        full = choose(Request(packages=PACKAGES), code=code).specification
        extended = choose(Request(packages=(*PACKAGES, EXTRA)), code=code).specification
        store.build(bare, _quiet)
        store.build(full, _quiet)
        added = _added_by(home / "store", lambda: store.build(extended, _quiet))
        return [
            Figure("reuse of dagster + pandas", "ms", _found(store, full, runs), FIND),
            Figure("environment without packages", "ms", _created(home, bare, runs), CREATE),
            *_installed(home, full, runs),
            Figure("second environment with dagster + pandas, added on disk", "MB", (added,)),
        ]


def _found(store: Store, specification: Specification, runs: int) -> tuple[float, ...]:
    """As the daemon does it: looked for, judged, and leased."""

    def find() -> None:
        environment = store.find(specification)
        assert environment is not None, "a ready environment was not found"
        store.lease(environment).close()

    return tuple(1000 * _timed(find) for _ in range(runs))


def _created(home: Path, bare: Specification, runs: int) -> tuple[float, ...]:
    def build() -> None:
        assert Store(home / "store").build(bare, _quiet).origin == "built"

    return tuple(1000 * _timed(_without_environments(home, build)) for _ in range(runs))


def _installed(home: Path, full: Specification, runs: int) -> Iterator[Figure]:
    """Ours, `uv pip sync` and pip in turns, each from the same lock."""

    def build() -> None:
        assert Store(home / "store").build(full, _quiet).origin == "built"

    locks = home.glob("store/resolutions/*/pylock.toml")
    lock = next(
        lock for lock in locks if "pandas" in (text := lock.read_text()) and EXTRA not in text
    )
    ours, uv, pip = [], [], []
    for run in range(runs):
        ours.append(_timed(_without_environments(home, build)))
        with _empty(home) as python:
            uv.append(_timed(lambda python=python: _sync(home, python, lock)))  # type: ignore[misc]  # a default
        if run < SLOW_RUNS:
            with _empty(home) as python:
                pip.append(_timed(lambda python=python: _pip(python, lock)))  # type: ignore[misc]  # a default
    name = "dagster + pandas, locked, warm package cache"
    figure = Figure(f"{name}: codelocd", "s", tuple(ours), INSTALL)
    beside = Figure(f"{name}: uv pip sync", "s", tuple(uv))
    return iter(
        [
            figure,
            beside,
            Figure(f"{name}: pip install", "s", tuple(pip)),
            ratio("codelocd over uv pip sync", figure, beside),
        ]
    )


def _sync(home: Path, python: Path, lock: Path) -> None:
    variables = variables_for_uv(os.environ, Path.home(), home / "store/cache/uv")
    variables.pop("RUST_LOG")
    pins = home / "pins.txt"
    pins.write_text(pinned(read_lock(lock)) or "")
    arguments = ["pip", "sync", "-q", "--python", str(python), str(pins)]
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True, env=variables)


def _pip(python: Path, lock: Path) -> None:
    """It runs in the environment's own Python, from the wheel that virtualenv carries."""
    from virtualenv.seed.wheels.embed import get_embed_wheel

    wheel = get_embed_wheel("pip", "3.12")
    assert wheel is not None
    options = ["-q", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([python, "-I", f"{wheel.path}/pip", "install", *options, "-r", lock], check=True)


@contextmanager
def _empty(home: Path) -> Iterator[Path]:
    """A fresh environment of the Python that ours was built with."""
    path = home / "other"
    built = max(home.glob("store/environments/*"), key=lambda each: each.stat().st_mtime)
    python = (built / "bin/python").resolve()
    subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--python", python, path], check=True)
    yield path / "bin/python"
    shutil.rmtree(path)


def _without_environments(home: Path, work: Callable[[], None]) -> Callable[[], None]:
    """`work` once nothing is published: locks and the package cache stay."""
    for pointer in home.glob("store/keys/*.json"):
        pointer.unlink()
    for each in home.glob("store/environments/*"):
        shutil.rmtree(each)
    return work


def _added_by(root: Path, work: Callable[[], object]) -> float:
    before = _taken(root)
    work()
    return (_taken(root) - before) / 1e6


def _taken(root: Path) -> int:
    """Bytes on disk, of files with several names once."""
    found = {}
    for here, folders, names in os.walk(root):
        for name in [*folders, *names]:
            stat = os.lstat(os.path.join(here, name))
            found[stat.st_ino] = stat.st_blocks * 512
    return sum(found.values())


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _quiet(_progress: object) -> None:
    """Show no progress: a benchmark has no audience."""


if __name__ == "__main__":
    alone(measure, __doc__)
