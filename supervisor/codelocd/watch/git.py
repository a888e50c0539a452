"""Whether git is in the middle of something: its locks say so from first to last file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

LOCKS = ("index.lock", "rebase-merge", "rebase-apply")
"""The index is locked during a checkout, but only for parts of a rebase."""


def locked(folders: Iterable[str]) -> bool:
    """Whether a repository that encloses one of these folders is being rewritten."""
    return any(
        os.path.lexists(os.path.join(directory, lock))
        for directory in {found for found in _directories(folders) if found}
        for lock in LOCKS
    )


def _directories(folders: Iterable[str]) -> Iterable[str | None]:
    known: dict[str, str | None] = {}
    return [_directory(folder, known) for folder in folders]


def _directory(folder: str, known: dict[str, str | None]) -> str | None:
    """The git directory of the nearest repository upwards."""
    if folder not in known:
        parent = os.path.dirname(folder)
        found = _here(Path(folder, ".git"))
        known[folder] = found or (_directory(parent, known) if parent != folder else None)
    return known[folder]


def _here(mark: Path) -> str | None:
    """In a worktree or submodule `.git` is a file that names the directory."""
    if mark.is_dir():
        return str(mark)
    if not mark.is_file():
        return None
    try:
        text = mark.read_text()
    except (OSError, ValueError):
        return None
    return str(mark.parent / text.removeprefix("gitdir:").strip())
