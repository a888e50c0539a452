"""How far up from a piece of code its project may reach."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from codeloc_envs import pipenv, setuptools_files
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.pyproject import read_pyproject

REPOSITORY_MARKS = (".git", ".hg", ".jj", ".svn", ".bzr", "_darcs", ".fslckout", ".pijul")
"""The folder that holds one of these is the root of a repository."""
SETUP_FILES = setuptools_files.NAMES
PROJECT_FILES = ("pyproject.toml", *SETUP_FILES, *pipenv.NAMES)


def upwards(start: Path) -> tuple[Path, ...]:
    """`start` and the folders above it that may decide about its code, nearest first.

    They end with the root of the repository. Without a repository they end with the nearest
    folder that holds a project, and where none does, with `start`: what lies further up is
    somebody else's by then. What others may write to, or what belongs to another user, ends
    them too: an environment that is found there is run, so what git demands of repositories
    (`safe.directory`) holds here.
    """
    trusted = list(_trusted(start))
    root = next((folder for folder in trusted if _is_repository(folder)), None)
    if root is None:
        root = next((folder for folder in trusted if _holds_project(folder)), start)
    return tuple(trusted[: trusted.index(root) + 1])


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


def _holds_project(folder: Path) -> bool:
    """Never the user's own folder. A project file that cannot be read is for the user to see."""
    if folder == Path.home():
        return False
    try:
        return any(describes(folder / name) for name in PROJECT_FILES)
    except EnvironmentProblem:
        return True


def describes(path: Path) -> bool:
    """Whether a file of one of the names above is there and says what is to be installed.

    Raises EnvironmentProblem for an invalid project file.
    """
    if not os.path.isfile(path):
        return False
    if path.name in pipenv.NAMES:
        return True
    if path.name in SETUP_FILES:
        return setuptools_files.describing(path.parent) is not None
    return read_pyproject(path).describes
