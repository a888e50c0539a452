"""Looks every few seconds at folders that the kernel does not watch."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from codeloc_envs.filesystem import MOUNTS, mounted
from codeloc_envs.problem import shortage
from codelocd.watch.notices import Kind, Notice

INTERVAL = 2.0
"""Seconds between two looks."""

SHARE = 0.02
"""Polling takes at most this part of a core: where a look is slow, looks are rarer."""

_FileStamp = tuple[int, int, int, int, int]


class Poller:
    """Watches folders, not what is below them. Its thread runs only while there are any."""

    def __init__(self, put: Callable[[Notice], None], interval: float = INTERVAL) -> None:
        self._put = put
        self._interval = interval
        self._lock = threading.Lock()
        self._listings: dict[str, dict[str, _FileStamp] | None] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, path: str) -> None:
        """Poll this folder from now on. The entries that are there now are no news, unless the
        machine lacked the means to list them."""
        listing = _listed(path, {})
        with self._lock:
            self._listings[path] = listing
            if self._thread is None:
                self._begin()

    def _begin(self) -> None:
        self._end = threading.Event()
        thread = threading.Thread(
            target=self._run, args=(self._end,), name="watch-poll", daemon=True
        )
        with contextlib.suppress(RuntimeError):  # none can be started now: at the next folder
            thread.start()
            self._thread = thread

    @property
    def folders(self) -> frozenset[str]:
        """Those that are looked at."""
        with self._lock:
            return frozenset(self._listings)

    def discard(self, path: str) -> None:
        with self._lock:
            self._listings.pop(path, None)
            if not self._listings:
                self._end.set()
                self._thread = None

    def close(self) -> None:
        with self._lock:
            self._listings.clear()
            self._end.set()
            thread, self._thread = self._thread, None
        if thread:
            thread.join()

    def _run(self, end: threading.Event) -> None:
        pause = self._interval
        while not end.wait(pause):
            began = time.thread_time()
            self._look()
            pause = max(self._interval, (time.thread_time() - began) / SHARE)

    def _look(self) -> None:
        with self._lock:
            listings = list(self._listings.items())
        for path, before in listings:
            now = _listed(path, before)
            with self._lock:
                if self._listings.get(path) is not before:
                    continue
                self._listings[path] = now
            for notice in _differences(path, before, now):
                self._put(notice)


def _listed(path: str, before: dict[str, _FileStamp] | None) -> dict[str, _FileStamp] | None:
    """The entries of a folder by name; None where it cannot be read, `before` where the machine
    lacks what that takes for now."""
    try:
        with os.scandir(path) as entries:
            return {entry.name: found for entry in entries if (found := _entry(entry))}
    except OSError as error:
        return before if shortage(error) else None


def _entry(entry: os.DirEntry[str]) -> _FileStamp | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):  # its times change with its entries
        return status.st_mode, 0, 0, 0, status.st_ino
    return status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _differences(
    path: str, before: dict[str, _FileStamp] | None, now: dict[str, _FileStamp] | None
) -> Iterator[Notice]:
    if now is None:
        if before is not None:
            yield Notice(path, "", Kind.GONE)
        return
    was = before or {}
    for name in was.keys() | now.keys():
        if was.get(name) != now.get(name):
            yield Notice(path, name, _kind(was.get(name), now.get(name)))


def _kind(before: _FileStamp | None, now: _FileStamp | None) -> Kind:
    if any(entry and stat.S_ISDIR(entry[0]) for entry in (before, now)):
        return Kind.FOLDER
    return Kind.WRITTEN if now else Kind.UNSETTLED


_REMOTE = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|ceph|afs|lustre|vboxsf|prl_fs|virtiofs|fakeowner|fuse.*"
)


class Mounts:
    """Tells whether a folder needs a look now and then although it is watched."""

    def __init__(self, table: Path = MOUNTS) -> None:
        self._table = table
        self._remote: dict[int, bool] = {}

    def is_remote(self, folder: str) -> bool:
        """Raises OSError where there is no such folder."""
        device = os.stat(folder).st_dev
        if device not in self._remote:
            remote = {each.device for each in mounted(self._table) if _REMOTE.fullmatch(each.kind)}
            self._remote[device] = device in remote
        return self._remote[device]
