"""The values that pass between backends, watch and loop: notices of file events, and changes of a
location."""

from __future__ import annotations

import asyncio
import enum
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

SLICE = 200
"""Notices in one delivery: the loop has other things to do in between."""


class Kind(enum.Enum):
    """What happened to an entry of a watched folder."""

    WRITTEN = "written"
    """A file whose content is complete: closed after writing, or moved here."""
    UNSETTLED = "unsettled"
    """Made or removed: what is there now may be gone, or half written, in a moment."""
    FOLDER = "folder"
    """A folder that came or went."""
    GONE = "gone"
    """The watched folder itself was removed or moved away."""
    LOST = "lost"
    """Notices were lost: anything anywhere may have changed."""


class Notice(NamedTuple):
    """One entry, by its folder's real path and its name; both empty where they mean nothing."""

    folder: str
    name: str
    kind: Kind


class Inbox:
    """Collects notices, equal ones once, and delivers them on the loop, so many at a time."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Collection[Notice]], None]
    ) -> None:
        self._loop = loop
        self._deliver = deliver
        self._lock = threading.Lock()
        self._waiting: dict[Notice, None] = {}
        self._closed = False

    def put(self, notice: Notice) -> None:
        """From any thread; wakes the loop once for many."""
        with self._lock:
            wake = not self._waiting and not self._closed
            self._waiting[notice] = None
            if wake:
                self._loop.call_soon_threadsafe(self._hand_over)

    def take(self, notices: Collection[Notice]) -> None:
        """On the loop: delivers at once, unless others wait already."""
        with self._lock:
            idle = not self._waiting
            self._waiting |= dict.fromkeys(notices)
        if idle and notices:
            self._hand_over()

    def close(self) -> None:
        """Nothing is delivered after this, and the loop may be closed."""
        with self._lock:
            self._closed = True

    def _hand_over(self) -> None:
        with self._lock:
            notices = list(islice(self._waiting, SLICE))
            for notice in notices:
                del self._waiting[notice]
            if self._closed:
                return
            if self._waiting:
                self._loop.call_soon(self._hand_over)
        self._deliver(notices)


@dataclass(frozen=True, slots=True)
class Watched:
    """What counts for one location. Every path is absolute.

    `files`: imported sources, wherever they live. `roots`: folders of the location's own code:
    new modules there count, existing ones that nothing imported do not. `patterns` and `ignore`:
    globs relative to `base`. `inputs`: files that decide about the environment, and config files.
    """

    files: frozenset[str]
    roots: tuple[str, ...]
    patterns: tuple[str, ...]
    ignore: tuple[str, ...]
    base: str
    inputs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """Where a location stands after something changed.

    `differing`: how many watched files differ from what is served, or, if nothing is, from what
    the newest attempt saw. `paths`: those that differ from what the newest attempt saw, sorted.
    `inputs`: one of them is an input. `locked`: git rewrites a repository that holds files of the
    location.
    """

    differing: int
    paths: tuple[str, ...]
    inputs: bool
    locked: bool = False
