"""Takes the digests of files in a thread; a file is read again only where it may have changed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path

from codeloc_envs.problem import shortage

DIRECTORY = "directory"
"""Stands for the digest of a folder: of a folder only the existence counts."""

LARGE = 16 * 1024 * 1024
"""Bytes from which a file is judged by its size and time, not by its content."""

Stamp = tuple[int, int, int, int]

_TICK = {False: 20_000_000, True: 2_000_000_000}
"""Nanoseconds: Linux stamps in steps of 1 to 10 ms, old file systems, coarsely, of 1 or 2 s."""

_stamp: Callable[[os.stat_result], Stamp] = attrgetter(
    "st_mtime_ns", "st_ctime_ns", "st_size", "st_ino"
)


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
        coarse = stamp[0] % 1_000_000_000 == 0
        return self.stamp == stamp and max(stamp[:2]) + _TICK[coarse] < self.looked_at


def digest(data: bytes) -> str:
    """The digest that the runner reports for its sources."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def look(paths: Mapping[str, Content | None]) -> dict[str, Content]:
    """What each path holds now, given what is known of it, if anything; where that is still true,
    the known itself. Left out are those that the machine has no means to look at for now: they may
    hold anything. Blocks; any thread."""
    found = {}
    for path, known in paths.items():
        now = time.time_ns()
        try:
            status = os.stat(path)
            holds = known is not None and known.holds(_stamp(status))
            found[path] = known if known and holds else _read(path, status, now)
        except (FileNotFoundError, NotADirectoryError):  # most of the paths that are looked at
            found[path] = Content(None, None, now)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            if not shortage(error):
                found[path] = Content(None, None, now)
    return found


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


class Contents:
    """The newest known content of every file that counts for some location.

    `digest(path)`: as last seen; None where there is no such file, or no look yet.
    """

    def __init__(self) -> None:
        self._known: dict[str, Content] = {}
        self._digests: dict[str, str | None] = {}
        # Asked some hundred times for each change: the dictionary's own method, not one of ours.
        self.digest: Callable[[str], str | None] = self._digests.get

    def known(self, paths: Iterable[str]) -> dict[str, Content | None]:
        """What a look elsewhere needs to be quick."""
        return {path: self._known.get(path) for path in paths}

    def refresh(self, paths: Iterable[str]) -> None:
        """Looks at all of them now."""
        looked = look({path: self._known.get(path) for path in paths})
        self._known |= looked
        self._digests |= {path: content.digest for path, content in looked.items()}

    def learn(self, paths: Iterable[str]) -> list[str]:
        """Looks at those of which nothing is known; which of them are not there."""
        new = [path for path in paths if path not in self._known]
        self.refresh(new)
        return [path for path in new if path in self._known and self.digest(path) is None]

    def store(self, looked: Mapping[str, Content]) -> None:
        """Takes over what another thread saw, except where a younger look is known."""
        for path, content in looked.items():
            known = self._known.get(path)
            if known is None or known.looked_at <= content.looked_at:
                self._known[path] = content
                self._digests[path] = content.digest

    def keep(self, paths: Collection[str]) -> None:
        """Forgets all others."""
        for path in self._known.keys() - paths:
            del self._known[path]
            del self._digests[path]


GRACE = 0.05
"""Seconds in which a removed file may come back: editors delete and create, or move twice."""

AGAIN = 0.5
"""Seconds until files are looked at again that the machine had no means to look at."""

SLICE = 200
"""Files in one look: some 10 ms, so that the first news of a long burst comes early."""


class Examiner:
    """Keeps `contents` true. Everything but the looking happens on the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        contents: Contents,
        on_looked: Callable[[Collection[str]], None],
    ) -> None:
        self._loop = loop
        self._contents = contents
        self._on_looked = on_looked
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watch-look")
        self._due: dict[str, None] = {}
        self._doubts: dict[str, float] = {}
        self._settled: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looking: Mapping[str, Content | None] = {}
        self._busy = False
        self._closed = False

    def examine(self, paths: Iterable[str]) -> None:
        """Looks at them as soon as possible."""
        for path in paths:
            self._doubts.pop(path, None)
            self._due[path] = None
        self._advance()

    def doubt(self, paths: Iterable[str]) -> None:
        """Looks at them in a moment, unless something else makes that needless."""
        when = self._loop.time() + GRACE
        for path in paths:
            self._doubts.setdefault(path, when)
        self._arm()

    def close(self) -> None:
        self._closed = True
        if self._timer:
            self._timer.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _arm(self) -> None:
        if self._doubts and self._timer is None:
            # The oldest doubt comes first: all of them last equally long.
            self._timer = self._loop.call_at(next(iter(self._doubts.values())), self._ripen)

    def _ripen(self) -> None:
        self._timer = None
        now = self._loop.time()
        ripe = [path for path, when in self._doubts.items() if when <= now]
        self._settled.update(ripe)
        self.examine(ripe)
        self._arm()

    def _advance(self) -> None:
        if self._busy or self._closed or not self._due:
            return
        paths = list(islice(self._due, SLICE))
        for path in paths:
            del self._due[path]
        self._busy = True
        self._looking = self._contents.known(paths)
        try:
            looked = self._pool.submit(look, self._looking)
        except RuntimeError as error:  # no thread can be started now
            if not shortage(error):
                raise
            self._busy = False
            self._due |= dict.fromkeys(paths)
            self._loop.call_later(AGAIN, self._advance)
        else:
            looked.add_done_callback(self._hand_over)

    def _hand_over(self, looked: Future[dict[str, Content]]) -> None:
        if not looked.cancelled() and not self._closed:
            self._loop.call_soon_threadsafe(self._take, looked)

    def _take(self, looked: Future[dict[str, Content]]) -> None:
        if self._closed:
            return
        self._busy = False
        contents = looked.result()
        if missed := self._looking.keys() - contents.keys():
            self._loop.call_later(AGAIN, self.examine, missed)
        digest = self._contents.digest
        vanished = [  # was there, and is missed for the first time
            path
            for path, content in contents.items()
            if content.digest is None and digest(path) is not None and path not in self._settled
        ]
        self._settled.difference_update(contents)
        if vanished:
            self.doubt(vanished)
        for path in vanished:
            del contents[path]
        self._contents.store(contents)
        self._advance()
        self._on_looked(contents.keys())


# --- whether git is rewriting them -------------------------------------------------------------

LOCKS = ("index.lock", "rebase-merge", "rebase-apply")
"""The index is locked during a checkout, but only for parts of a rebase."""


def locked_by_git(folders: Iterable[str]) -> bool:
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
