"""What stands around a piece of code, up to the root of its project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs import pipenv
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.pyproject import Pyproject, read_project
from codeloc_envs.reach import PROJECT_FILES, describes, upwards
from codeloc_envs.specification import PythonWish
from codeloc_envs.specifier import check
from codeloc_envs.text_file import seen_text

ROOT_MARKS = ("pyproject.toml", "dg.toml", "codelocd.toml", "workspace.yaml", ".git")
"""The first folder upwards that holds one of these is where the code's own place ends."""
LOCKS = ("uv.lock", "pylock.toml")
DESCRIPTIONS = (
    *LOCKS,
    "requirements.txt",
    *pipenv.NAMES,
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
)
"""What describes an environment to be built; in one folder the first wins."""
VERSION_FILE = ".python-version"
ENVIRONMENT = ".venv"


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The folders from the code's own upwards that decide about it, nearest first.

    They end with the first that has one of ROOT_MARKS. Where none of these says anything of an
    environment, they go on as far as the project may reach, to the first that does: a
    `workspace.yaml` often stands in a folder of the project that it is about.
    """

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, code: Path) -> Neighbourhood:
        """Of a file or a folder."""
        start = code if os.path.isdir(code) else code.parent
        reach = upwards(start)
        marked = (at for at, each in enumerate(reach, start=1) if _is_marked(each))
        near = next(marked, 1)
        if any(map(_decides, reach[:near])):
            return cls(reach[:near])
        further = enumerate(reach[near:], start=near + 1)
        return cls(reach[: next((at for at, each in further if _decides(each)), len(reach))])

    @property
    def start(self) -> Path:
        return self.folders[0]

    def description(self) -> Path | None:
        """The nearest file that describes an environment; EnvironmentProblem if it is invalid."""
        return next(filter(None, map(_description, self.folders)), None)

    def looked_at(self) -> Iterator[Path]:
        """Whatever decides, or would if it were there."""
        names = (ENVIRONMENT, f"{ENVIRONMENT}/pyvenv.cfg", VERSION_FILE, *DESCRIPTIONS)
        yield from (folder / name for folder in self.folders for name in names)

    def project(self) -> Pyproject | None:
        """The nearest `pyproject.toml`, or what stands for it; EnvironmentProblem if invalid."""
        for folder in self.folders:
            named = (folder / name for name in PROJECT_FILES if name not in pipenv.NAMES)
            if os.path.isfile(folder / "pyproject.toml") or any(map(describes, named)):
                return read_project(folder)
        return None

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
        return next((path for path in paths if os.path.isfile(path)), None)


def _is_marked(folder: Path) -> bool:
    return any(os.path.exists(folder / mark) for mark in ROOT_MARKS)


def _decides(folder: Path) -> bool:
    """Also by a project file that cannot be read: the rule that needs it says what is wrong."""
    try:
        return os.path.exists(folder / ENVIRONMENT) or _description(folder) is not None
    except EnvironmentProblem:
        return True


def _description(folder: Path) -> Path | None:
    paths = (folder / name for name in DESCRIPTIONS)
    return next((path for path in paths if _describes(path)), None)


def _describes(path: Path) -> bool:
    return describes(path) if path.name in PROJECT_FILES else os.path.isfile(path)


def _first_version(path: Path) -> str | None:
    lines = (line.strip() for line in (seen_text(path) or "").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), None)
