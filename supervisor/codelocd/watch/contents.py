"""What files contain: a digest each, taken again only where the file's stat may hide a change."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

DIRECTORY = "directory"
"""Stands for the digest of a folder: that it is there is all that counts."""

LARGE = 16 * 1024 * 1024
"""Bytes from which a file is judged by its size and time, not by its content."""

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Content:
    """A file at one moment: `digest` is None where there is no readable file.

    `looked_at`: Unix nanoseconds, taken before the file was.
    """

    digest: str | None
    stamp: Stamp | None
    looked_at: int

    def holds(self, stamp: Stamp) -> bool:
        """Whether a file that now has this stamp still has this content.

        Two writes within one tick of the file system's clock leave equal stamps, so a stamp
        tells nothing when it was fresh at the time of the look (git calls it racily clean).
        """
        return self.stamp == stamp and max(stamp[:2]) + _tick(stamp) < self.looked_at


def digest(data: bytes) -> str:
    """The digest that the runner reports for its sources."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def look(path: str, known: Content | None = None) -> Content:
    """What `path` holds now; `known` itself if that is still true. Blocks; any thread."""
    now = time.time_ns()
    try:
        status = os.stat(path)
        if known and known.holds(_stamp(status)):
            return known
        return _read(path, status, now)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return Content(None, None, now)


def _read(path: str, status: os.stat_result, now: int) -> Content:
    if stat.S_ISDIR(status.st_mode):
        return Content(DIRECTORY, None, now)
    if not stat.S_ISREG(status.st_mode):
        return Content(None, None, now)
    # O_NONBLOCK: between stat and open the file may have become a FIFO.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        stamp = _stamp(os.fstat(descriptor))
        if stamp[2] >= LARGE:
            return Content(f"size {stamp[2]} at {stamp[0]}", stamp, now)
        return Content(digest(file.read()), stamp, now)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _tick(stamp: Stamp) -> int:
    """Nanoseconds: Linux stamps in steps of 1 to 10 ms, old file systems of 1 or 2 s."""
    coarse = stamp[0] % 1_000_000_000 == 0
    return 2_000_000_000 if coarse else 20_000_000


class Contents:
    """The newest known content of every file that counts for some location."""

    def __init__(self) -> None:
        self._known: dict[str, Content] = {}

    def digest(self, path: str) -> str | None:
        """As last seen; None where there is no such file, or nobody looked."""
        known = self._known.get(path)
        return known.digest if known else None

    def known(self, paths: Iterable[str]) -> dict[str, Content | None]:
        """What a look elsewhere needs to be quick."""
        return {path: self._known.get(path) for path in paths}

    def refresh(self, paths: Iterable[str]) -> None:
        """Looks at all of them now."""
        for path in paths:
            self._known[path] = look(path, self._known.get(path))

    def learn(self, paths: Iterable[str]) -> None:
        """Looks at those that nobody looked at before."""
        self.refresh([path for path in paths if path not in self._known])

    def store(self, looked: Mapping[str, Content]) -> None:
        """Takes over what another thread saw, except where a younger look is known."""
        for path, content in looked.items():
            known = self._known.get(path)
            if known is None or known.looked_at <= content.looked_at:
                self._known[path] = content

    def keep(self, paths: Collection[str]) -> None:
        """Forgets all others."""
        for path in self._known.keys() - paths:
            del self._known[path]
