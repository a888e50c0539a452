"""Watches folders: each once, for all locations that need it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
from collections.abc import Callable, Collection
from typing import Protocol

from codelocd.watch.notices import Inbox, Kind, Notice
from codelocd.watch.polling import INTERVAL, Mounts, Poller

_EXHAUSTED = {errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM}

RETRY = 30.0
"""Seconds until folders that the kernel had no watch for are to be watched by it again."""


class Watcher(Protocol):
    """Watches single folders and tells of each event of an entry."""

    def add(self, path: str) -> None: ...
    def discard(self, path: str) -> None: ...
    def close(self) -> None: ...


class Folders:
    """Shares one watch between all locations that need it; polls where the kernel does not watch.

    All methods are called on the loop, and so are `on_notices` and `on_problem`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_notices: Callable[[Collection[Notice]], None],
        on_problem: Callable[[str], None],
        mounts: Mounts,
        interval: float = INTERVAL,
    ) -> None:
        self._on_problem = on_problem
        self._mounts = mounts
        self._users: dict[str, set[str]] = {}
        self._claims: dict[str, frozenset[str]] = {}
        self._reported: set[str] = set()
        self._loop = loop
        self._lacking: set[str] = set()
        self._retrying: asyncio.TimerHandle | None = None
        self._interval = interval
        self._on_notices = on_notices
        self._inbox = Inbox(loop, on_notices)
        self._poller = Poller(self._inbox.put, interval)
        self._watcher: Watcher = self._start(loop)

    def users(self, folder: str) -> Collection[str]:
        """The locations that look at this folder (by its real path)."""
        return self._users.get(folder, ())

    def polled(self, location: str) -> frozenset[str]:
        """Those of a location that are looked at every few seconds."""
        return self._claims.get(location, frozenset()) & self._poller.folders

    def claim(self, location: str, folders: Collection[str]) -> bool:
        """Watches exactly these for a location; whether one of them was not watched before."""
        before, wanted = self._claims.get(location, frozenset()), frozenset(folders)
        self._claims[location] = wanted
        for folder in before - wanted:
            self._release(location, folder)
        fresh = [folder for folder in wanted if folder not in self._users]
        for folder in wanted - before:
            self._users.setdefault(folder, set()).add(location)
        for folder in fresh:
            self._watch(folder)
        return bool(fresh)

    def gone(self, folder: str) -> None:
        """Stops watching what is no longer there; a location that needs it claims it again."""
        for location in self._users.pop(folder, ()):
            self._claims[location] -= {folder}
        self._unwatch(folder)

    def renew(self) -> None:
        """Watches every folder afresh: a name may lead to another folder than before."""
        for folder in list(self._users):
            self._unwatch(folder)
            self._watch(folder)

    def close(self) -> None:
        """No callback comes after this."""
        if self._retrying is not None:
            self._retrying.cancel()
        self._inbox.close()
        self._watcher.close()
        self._poller.close()

    def _release(self, location: str, folder: str) -> None:
        users = self._users.get(folder, set())
        users.discard(location)
        if not users:
            self._users.pop(folder, None)
            self._unwatch(folder)

    def _unwatch(self, folder: str) -> None:
        self._lacking.discard(folder)
        self._watcher.discard(folder)
        self._poller.discard(folder)

    def _watch(self, folder: str) -> None:
        try:
            if self._mounts.is_remote(folder):
                self._poller.add(folder)
            self._watcher.add(folder)
        except (FileNotFoundError, NotADirectoryError):
            self.gone(folder)
        except OSError as error:
            self._poller.add(folder)
            self._report(folder, error)
            if error.errno in _EXHAUSTED:
                self._lacking.add(folder)
                self._retry_later()
        else:
            if self._watcher is self._poller:
                self._lacking.add(folder)

    def _retry_later(self) -> None:
        if self._retrying is None:
            self._retrying = self._loop.call_later(RETRY, self._retry)

    def _retry(self) -> None:
        """What was lacking may be there again; what happened in between was seen by looks."""
        self._retrying = None
        if self._watcher is self._poller:
            with contextlib.suppress(OSError):
                self._watcher = _make_watcher(self._loop, self._inbox)
        lacking = tuple(self._lacking)
        for folder in lacking:
            self._unwatch(folder)
            self._watch(folder)
        if self._lacking or self._watcher is self._poller:
            self._retry_later()
        if self._lacking != set(lacking):
            self._on_notices([Notice("", "", Kind.LOST)])

    def _report(self, folder: str, error: OSError) -> None:
        """Once for each cause: the rest of a tree would only repeat it."""
        if error.errno in _EXHAUSTED:
            problem, advice = "the system has no file watches left", _advice(error)
        else:
            problem, advice = f"cannot watch {folder}: {error.strerror}", "check its permissions"
        if problem not in self._reported:
            self._reported.add(problem)
            self._on_problem(
                f"{problem}: {folder} and others like it are looked at every {self._interval:g} s"
                f" instead; {advice}"
            )

    def _start(self, loop: asyncio.AbstractEventLoop) -> Watcher:
        try:
            return _make_watcher(loop, self._inbox)
        except OSError as error:
            self._retry_later()
            self._on_problem(
                f"cannot watch files ({error.strerror}): they are looked at every"
                f" {self._interval:g} s instead; {_advice(error)}"
            )
            return self._poller


def _make_watcher(loop: asyncio.AbstractEventLoop, inbox: Inbox) -> Watcher:
    if sys.platform.startswith("linux"):
        from codelocd.watch.inotify import Inotify  # works on Linux only

        return Inotify(loop, inbox.take)
    from codelocd.watch.portable import Portable  # needs watchdog, which Linux does not

    return Portable(inbox.put)


def _advice(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "raise fs.inotify.max_user_watches with sysctl"
    if error.errno == errno.EMFILE:
        return "raise fs.inotify.max_user_instances with sysctl, or the limit of open files"
    return "free memory or file descriptors"
