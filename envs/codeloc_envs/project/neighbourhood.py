"""Finds the folders around a location's code that may describe its environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from codeloc_envs.files import seen_text
from codeloc_envs.interpreter import check
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project import setuptools_files
from codeloc_envs.project.other_tools import PIPENV_FILES
from codeloc_envs.project.pyproject import Pyproject, read_project, read_pyproject
from codeloc_envs.request import PythonWish

RELEASE_MARK = ".codelocd-release"
"""Beside the folder of a release: what is above it is not about the code."""
REPOSITORY_MARKS = (
    *(".git", ".hg", ".jj", ".svn", ".bzr", "_darcs", ".fslckout", ".pijul"),
    RELEASE_MARK,
)
"""The folder that holds one of these is the root of a repository."""
SETUP_FILES = setuptools_files.NAMES
PROJECT_FILES = ("pyproject.toml", *SETUP_FILES, *PIPENV_FILES)
LOCKS = ("uv.lock", "pylock.toml")
DESCRIPTIONS = (
    *LOCKS,
    "requirements.txt",
    *PIPENV_FILES,
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
)
"""What describes an environment to be built; in one folder the first wins."""
ENVIRONMENT = ".venv"
VERSION_FILE = ".python-version"
ROOT_MARKS = ("pyproject.toml", "dg.toml", "codelocd.toml", "workspace.yaml", ".git")
"""The first folder upwards that holds one of these is where the code's own place ends."""


def upwards(start: Path) -> tuple[Path, ...]:
    """`start` and the folders above it that may decide about its code, nearest first.

    They end with the root of the repository. Without a repository they end with the nearest
    folder that has an environment or describes one, and where none does, with `start`.
    """
    found, repository = _searched(start)
    return found if repository else found[: 1 + (_first_that_decides(found) or 0)]


def _searched(start: Path) -> tuple[tuple[Path, ...], bool]:
    """`start` and the folders above it where its project is looked for, nearest first.

    They end with the root of the repository, and without one before the user's own folder: which
    of the two is the second value. What others may write to, or what belongs to another user, ends
    them too: an environment that is found there is run, so what git demands of repositories
    (`safe.directory`) holds here.
    """
    trusted = list(_trusted(start))
    root = next((at for at, folder in enumerate(trusted) if _is_repository(folder)), None)
    if root is not None:
        return tuple(trusted[: root + 1]), True
    home = Path.home()
    return (start, *takewhile(lambda folder: home not in (folder, start), trusted[1:])), False


def _first_that_decides(folders: tuple[Path, ...]) -> int | None:
    return next((at for at, folder in enumerate(folders) if decides(folder)), None)


def _trusted(start: Path) -> Iterator[Path]:
    yield start
    try:
        own = os.stat(start)
    except OSError:
        return
    for folder in start.parents:
        if folder == folder.parent or not _is_safe(folder, own):
            return
        yield folder


def _is_safe(folder: Path, own: os.stat_result) -> bool:
    try:
        found = os.stat(folder)
    except OSError:
        return False
    others_write = found.st_mode & stat.S_IWOTH and not own.st_mode & stat.S_IWOTH
    return not others_write and found.st_uid in (own.st_uid, os.geteuid(), 0)


def _is_repository(folder: Path) -> bool:
    # os.path: this is asked of many folders, many times, and a Path takes ten times as long
    return any(os.path.exists(os.path.join(folder, mark)) for mark in REPOSITORY_MARKS)


def decides(folder: Path) -> bool:
    """It has an environment or describes one.

    Also by a project file that cannot be read: the rule that needs it says what is wrong.
    """
    try:
        environment = os.path.join(folder, ENVIRONMENT)
        return os.path.exists(environment) or description(folder) is not None
    except EnvironmentProblem:
        return True


def description(folder: Path) -> Path | None:
    """The file of `folder` that describes an environment; EnvironmentProblem if it is invalid."""
    for name in DESCRIPTIONS:
        if os.path.isfile(os.path.join(folder, name)):
            path = folder / name
            if name not in PROJECT_FILES or describes(path):
                return path
    return None


def describes(path: Path) -> bool:
    """Whether a file of one of the names above is there and says what is to be installed.

    Raises EnvironmentProblem for an invalid project file.
    """
    if not os.path.isfile(path):
        return False
    if path.name in PIPENV_FILES:
        return True
    if path.name in SETUP_FILES:
        return setuptools_files.describing(path.parent) is not None
    return read_pyproject(path).describes


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The folders from the code's own upwards that decide about it, nearest first.

    They end with the first that has one of ROOT_MARKS. Where none of these says anything of an
    environment, they go on as far as the project may reach, to the first that does: a
    `workspace.yaml` often stands in a folder of the project that it is about.
    """

    folders: tuple[Path, ...]
    reach: tuple[Path, ...]
    """As far as the project may reach: `upwards` of the code's own folder."""
    looked_in: tuple[Path, ...]
    """Where what comes there may decide."""

    @classmethod
    def of(cls, code: Path) -> Neighbourhood:
        """Of a file or a folder. Each folder is looked at once: all locations begin with this."""
        start = code if os.path.isdir(code) else code.parent
        searched, repository = _searched(start)
        first = _first_that_decides(searched)
        reach = searched if repository else searched[: 1 + (first or 0)]
        marked = (at for at, each in enumerate(reach, start=1) if _is_marked(each))
        count = next(marked, 1)
        if first is None or first >= count:
            count = len(reach) if first is None else first + 1
        folders = reach[:count]
        return cls(folders, reach, searched if first is None else folders)

    @property
    def start(self) -> Path:
        return self.folders[0]

    def description(self) -> Path | None:
        """The nearest file that describes an environment; EnvironmentProblem if it is invalid."""
        return next(filter(None, map(description, self.folders)), None)

    def looked_at(self) -> Iterator[Path]:
        """Whatever decides, or would if it were there."""
        names = (ENVIRONMENT, f"{ENVIRONMENT}/pyvenv.cfg", VERSION_FILE, *DESCRIPTIONS)
        yield from (folder / name for folder in self.looked_in for name in names)

    def project(self) -> Pyproject | None:
        """The nearest `pyproject.toml`, or what stands for it; EnvironmentProblem if invalid."""
        for folder in self.folders:
            named = (folder / name for name in PROJECT_FILES if name not in PIPENV_FILES)
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
    return any(os.path.exists(os.path.join(folder, mark)) for mark in ROOT_MARKS)


def _first_version(path: Path) -> str | None:
    lines = (line.strip() for line in (seen_text(path) or "").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), None)
