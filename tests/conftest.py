"""What several folders of tests need: environments with Dagster, what the Pythons here say."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from codeloc_envs.interpreters import Interpreters
from tests.pythons import PYENV, found

# A shell starts what is in its background with SIGINT ignored; tests end what they start by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"

RELEASES = {
    "newest": ("dagster", "3.12", ["dagster", "dagster-webserver"]),
    "1.9": ("dagster-1.9-py3.11", "3.11", ["dagster==1.9.*"]),
    "dbt": (
        "dagster-dbt",
        "3.12",
        ["dagster", "dagster-dbt>=0.28", "dbt-duckdb>=1.8", "dbt-core<1.11"],  # newer: a download
    ),
    "create-dagster": ("create-dagster", "3.12", ["create-dagster"]),
    "1.5": ("dagster-1.5-py3.10", "3.10", ["dagster==1.5.*", "setuptools<81"]),
}
"""By release: the folder below .cache, the Python, what is installed there."""

Dagster = Callable[[str], Path]


@pytest.fixture(scope="session")
def dagster_environment() -> Dagster:
    """`dagster_environment(release)`: its folder, built once and kept for later runs."""
    return _environment


def _environment(release: str) -> Path:
    name, python, packages = RELEASES[release]
    folder = CACHE / name
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers ask for it at once
        if not (folder / "ready").exists():
            _uv("venv", "--clear", "--python", _interpreter(python), str(folder))
            _uv("pip", "install", "--python", str(folder / "bin" / "python"), *packages)
            (folder / "ready").touch()
    return folder


def _interpreter(version: str) -> str:
    python = found(version)
    if python is None:
        pytest.skip(f"no Python {version} in {PYENV}: its dagster cannot be tried")
    return str(python)


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv", path=str(ROOT / ".venv" / "bin")) or shutil.which("uv")
    if uv is None:
        pytest.skip("no uv: an environment with dagster cannot be built")
    done = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"an environment with dagster cannot be built: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def asked_pythons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The answers of this machine's Pythons: asking takes a second, so once is enough."""
    cache = tmp_path_factory.mktemp("pythons") / "interpreters.json"
    Interpreters(cache).every()
    return cache
