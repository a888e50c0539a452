"""Where code servers listen: a path of its own for each, and one constant link for a location."""

from __future__ import annotations

import itertools
import os
import tempfile
from hashlib import blake2b
from pathlib import Path

LONGEST = 100
"""Bytes of a path that every program can connect to: `sun_path` holds 107."""


class Sockets:
    """The folder of one daemon's code servers; 0700, short enough, the same at every start."""

    def __init__(self, runtime: Path) -> None:
        self.folder = _folder(runtime)
        self._numbers = itertools.count(1)
        for left in self.folder.iterdir():
            left.unlink()

    def new(self) -> Path:
        """A path that no server had before: each unlinks its own when it ends."""
        return self.folder / f"{os.getpid()}-{next(self._numbers)}"

    def link(self, location: str) -> Path:
        """The path that Dagster knows the location's code server by, for ever."""
        return self.folder / blake2b(location.encode(), digest_size=6).hexdigest()

    def lead(self, location: str, server: Path) -> None:
        """From now on who connects by the link reaches `server`; at no moment nobody."""
        link = self.link(location)
        draft = link.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(server.name)
        draft.rename(link)

    def forget(self, location: str) -> None:
        self.link(location).unlink(missing_ok=True)


def _folder(runtime: Path) -> Path:
    folder = runtime / "dagster"
    if len(os.fsencode(folder)) + 20 > LONGEST:
        name = blake2b(os.fsencode(runtime), digest_size=6).hexdigest()
        folder = Path(tempfile.gettempdir(), f"codelocd-{os.getuid()}-{name}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else, or others can use it; remove it")
    return folder
