"""What stands around a piece of code, up to the root of its project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.pyproject import Pyproject, read_pyproject
from codeloc_envs.specification import PythonWish
from codeloc_envs.specifier import check
from codeloc_envs.text_file import read_text

ROOT_MARKS = ("pyproject.toml", "dg.toml", "codelocd.toml", "workspace.yaml", ".git")
"""The first folder upwards that holds one of these is the project's root."""
DESCRIPTIONS = ("uv.lock", "pylock.toml", "requirements.txt", "pyproject.toml")
"""What describes an environment to be built; in one folder the first wins."""
VERSION_FILE = ".python-version"


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The folders from the code's own up to its project's root, nearest first."""

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, code: Path) -> Neighbourhood:
        """Of a file or a folder. Without a root, the code's own folder is all there is."""
        start = code if code.is_dir() else code.parent
        upwards = (start, *start.parents)
        for count, folder in enumerate(upwards, start=1):
            if any((folder / mark).exists() for mark in ROOT_MARKS):
                return cls(upwards[:count])
        return cls((start,))

    @property
    def start(self) -> Path:
        return self.folders[0]

    def description(self) -> Path | None:
        """The nearest file that describes an environment."""
        for folder in self.folders:
            for name in DESCRIPTIONS:
                path = folder / name
                if path.is_file() and _describes(path):
                    return path
        return None

    def project(self) -> Pyproject | None:
        """The nearest `pyproject.toml`; raises EnvironmentProblem if it is invalid."""
        path = self._nearest("pyproject.toml")
        return read_pyproject(path) if path else None

    def python(self, explicit: str | None, requires: str | None, source: Path) -> PythonWish:
        """Explicit before `.python-version` before `requires-python`, which `source` holds.

        Raises EnvironmentProblem if what counts is no version or specifier.
        """
        asked, asked_by = (explicit, "asked for") if explicit else self._pinned()
        required_by = str(source) if requires else ""
        check(asked, requires, (asked_by, required_by))
        return PythonWish(asked, asked_by, requires, required_by)

    def python_files(self, wish: PythonWish) -> Iterator[Path]:
        """The files that `wish` was read from."""
        for source in (wish.asked_by, wish.required_by):
            if source.startswith("/"):
                yield Path(source)

    def _pinned(self) -> tuple[str | None, str]:
        """What the nearest `.python-version` says in its first line, and its path."""
        path = self._nearest(VERSION_FILE)
        version = _first_version(path) if path else None
        return (version, str(path)) if version else (None, "")

    def _nearest(self, name: str) -> Path | None:
        paths = (folder / name for folder in self.folders)
        return next((path for path in paths if path.is_file()), None)


def _describes(path: Path) -> bool:
    return path.name != "pyproject.toml" or read_pyproject(path).project is not None


def _first_version(path: Path) -> str | None:
    lines = (line.strip() for line in read_text(path, "version file").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), None)
