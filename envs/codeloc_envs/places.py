"""Where Pythons are installed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

SEARCHED = "PATH, pyenv, mise, asdf, uv, conda, Homebrew, /opt and /usr/bin"
_NAME = re.compile(r"^(python3(\.\d+)?t?|pypy3(\.\d+)?)$")
_CONDA_HOMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba")
_FIXED = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin")
_INSTALLATIONS = (
    "/opt/python*",
    "/opt/python/*",
    "/opt/pypy*",
    "/opt/hostedtoolcache/Python/*/*",
    "/opt/homebrew/opt/python@3*",
    "/usr/local/opt/python@3*",
    "/Library/Frameworks/Python.framework/Versions/*",
    "/Library/Developer/CommandLineTools/usr",
)


def candidates(
    variables: Mapping[str, str], home: Path, fetched: Path | None = None
) -> Iterator[Path]:
    """Paths that may be Pythons, the preferred place first; the same one may come twice.

    PATH alone is not enough: version managers put only the active version there, and a
    service has a bare one. Directories of shims are left out: what a shim runs depends on
    the directory it is called from.
    """
    yield Path(getattr(sys, "_base_executable", sys.executable))
    for prefix in [*_managed(variables, home), *(_matches(fetched, "*") if fetched else ())]:
        yield from _in_directory(prefix / "bin")
    for directory in dict.fromkeys([*variables.get("PATH", "").split(os.pathsep), *_FIXED]):
        if directory and not directory.rstrip("/").endswith("/shims"):
            yield from _in_directory(Path(directory))
    for pattern in _INSTALLATIONS:
        for prefix in _matches(Path("/"), pattern.lstrip("/")):
            yield from _in_directory(prefix / "bin")
    for prefix in _conda(variables, home):
        yield from _in_directory(prefix / "bin")


def _managed(variables: Mapping[str, str], home: Path) -> Iterator[Path]:
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local/share")
    stores = [
        (variables.get("PYENV_ROOT"), home / ".pyenv", "versions/*"),
        (variables.get("MISE_DATA_DIR"), data / "mise", "installs/python/*"),
        (variables.get("ASDF_DATA_DIR"), home / ".asdf", "installs/python/*"),
        (variables.get("UV_PYTHON_INSTALL_DIR"), data / "uv/python", "*"),
    ]
    for configured, usual, pattern in stores:
        for root in {Path(configured or usual), usual}:
            yield from _matches(root, pattern)


def _conda(variables: Mapping[str, str], home: Path) -> Iterator[Path]:
    bases = [home / name for name in _CONDA_HOMES] + [Path("/opt/conda"), Path("/opt/miniconda3")]
    if executable := variables.get("CONDA_EXE"):
        bases.insert(0, Path(executable).parent.parent)
    for base in bases:
        yield base
        yield from _matches(base, "envs/*")


def _matches(root: Path, pattern: str) -> list[Path]:
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []


def _in_directory(directory: Path) -> Iterator[Path]:
    if sys.platform == "darwin" and directory == Path("/usr/bin"):
        return  # its python3 is a stub that may open a dialog instead of running
    try:
        names = [name for name in os.listdir(directory) if name.startswith("py")]
    except OSError:
        return
    pythons = filter(_NAME.match, names)
    yield from (directory / name for name in sorted(pythons, key=lambda name: (-len(name), name)))
