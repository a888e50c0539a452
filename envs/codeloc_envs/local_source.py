"""A package that is installed from a path on this machine, and what of it counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs import setuptools_files
from codeloc_envs.fingerprint import canonical, digest_bytes
from codeloc_envs.pyproject import Pyproject, read_pyproject

_BUILT = frozenset({"build", "dist"})
_ASIDE = frozenset({"__pycache__", "node_modules", "venv"})
BUILD_FILES = ("pyproject.toml", *setuptools_files.NAMES)


@dataclass(frozen=True, slots=True)
class LocalSource:
    """Where it is, and whether its sources are used in place."""

    name: str
    path: Path
    editable: bool

    def files(self) -> tuple[Path, ...]:
        """The files that count: all of a copy, those that a build reads of an editable one."""
        if self.path.is_file():
            return (self.path,)
        return tuple(build_files(self.path) if self.editable else _tree(self.path))

    def digest(self) -> str:
        """Of the content that counts; the same wherever it lies."""
        return digest_bytes(
            canonical(
                [
                    [str(file.relative_to(self.path)), content_digest(file)]
                    for file in sorted(self.files())
                ]
            ).encode()
        )


def build_files(project: Path) -> Iterator[Path]:
    """What a build of `project` reads besides its sources, as far as its project file says."""
    names = [*BUILD_FILES]
    file = project / "pyproject.toml"
    if file.is_file():
        names += _dynamic_files(read_pyproject(file))
    names += setuptools_files.files_read(project)
    yield from (project / name for name in dict.fromkeys(names) if (project / name).is_file())


def content_digest(file: Path) -> str:
    """Of a project file without the tables of mere tools; of any other file as it is.

    Raises OSError, and EnvironmentProblem for an invalid project file.
    """
    if file.name == "pyproject.toml":
        return digest_bytes(canonical(read_pyproject(file).relevant).encode())
    return digest_bytes(file.read_bytes())


def _dynamic_files(pyproject: Pyproject) -> Iterator[str]:
    """https://setuptools.pypa.io/en/stable/userguide/pyproject_config.html#dynamic-metadata"""
    dynamic: Mapping[str, Any] = (pyproject.tool("setuptools") or {}).get("dynamic", {})
    for rule in dynamic.values():
        named = rule.get("file", ()) if isinstance(rule, Mapping) else ()
        yield from [named] if isinstance(named, str) else named


def _tree(root: Path) -> Iterator[Path]:
    """Files below `root` but those of builds, caches, version control and environments."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        top = here == root
        folders[:] = [name for name in folders if _counts(here / name, top)]
        yield from (here / name for name in names if not name.endswith(".pyc"))


def _counts(folder: Path, top: bool) -> bool:
    name = folder.name
    built = (top and name in _BUILT) or name.endswith(".egg-info")
    aside = name in _ASIDE or name.startswith(".")
    return not (built or aside or (folder / "pyvenv.cfg").exists())
