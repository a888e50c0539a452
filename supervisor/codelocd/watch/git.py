"""Tells from its lock files whether git is rewriting a working tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

LOCKS = ("index.lock", "rebase-merge", "rebase-apply")
"""The index is locked during a checkout, but only for parts of a rebase."""


def locked(folders: Iterable[str]) -> bool:
    """Whether a repository that encloses one of these folders is being rewritten.

    Of each folder, the nearest repository upwards counts.
    """
    seen: set[str] = set()
    for start in folders:
        folder, directory = start, None
        while directory is None and folder not in seen:
            seen.add(folder)
            mark = os.path.join(folder, ".git")
            try:
                directory = _directory(mark, os.stat(mark).st_mode)
            except (OSError, ValueError):  # as for most folders; ValueError: a NUL in the path
                directory = None
            folder = os.path.dirname(folder)
        if directory and any(os.path.lexists(os.path.join(directory, lock)) for lock in LOCKS):
            return True
    return False


def _directory(mark: str, mode: int) -> str | None:
    """The git directory; in a worktree or submodule `.git` is a file that names it."""
    if stat.S_ISDIR(mode):
        return mark
    if not stat.S_ISREG(mode):
        return None
    named = Path(mark).read_text().removeprefix("gitdir:").strip()
    return os.path.join(os.path.dirname(mark), named)
