"""Linux: one queue of the kernel for all folders, read by the event loop (inotify(7)).

watchdog is not used here. Its emitters are threads, one for each watch; its observers hold back
moves for half a second, and keep an exhausted limit and a lost event to themselves. The kernel's
interface is four calls, which the C library offers and Python's own does not.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable, Collection

from codelocd.watch.notices import Kind, Notice

# From <sys/inotify.h>: part of the kernel's binary interface, equal on every architecture.
_CLOSE_WRITE = 0x8
_MOVED_FROM = 0x40
_MOVED_TO = 0x80
_CREATE = 0x100
_DELETE = 0x200
_DELETE_SELF = 0x400
_MOVE_SELF = 0x800
_Q_OVERFLOW = 0x4000
_IGNORED = 0x8000
_ONLYDIR = 0x1000000
_ISDIR = 0x40000000

# Neither reads nor attributes: every import by a runner would be an event.
_WRITTEN = _CLOSE_WRITE | _MOVED_TO
_GONE = _DELETE_SELF | _MOVE_SELF | _IGNORED
_MASK = _WRITTEN | _CREATE | _DELETE | _MOVED_FROM | _DELETE_SELF | _MOVE_SELF | _ONLYDIR

_KINDS = (
    (_GONE, Kind.GONE),
    (_ISDIR, Kind.FOLDER),
    (_WRITTEN, Kind.WRITTEN),
    (~0, Kind.UNSETTLED),
)
"""What an event means, by the first of these that it has a bit of."""

_EVENT = struct.Struct("iIII")
"""`struct inotify_event` without its name: watch, mask, cookie, bytes of the name."""

_BUFFER = 64 * 1024
"""Bytes of one read, some 1,400 events: the kernel's own queue, of 16,384, must not run full."""


class Inotify:
    """Watches folders, not what is below them. All methods are called on the loop, and so is
    `deliver`, with the notices of one read.

    The constructor raises OSError where there is no instance left.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Collection[Notice]], None]
    ) -> None:
        self._loop = loop
        self._deliver = deliver
        self._watches: dict[str, int] = {}
        self._paths: dict[int, set[str]] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor == -1:
            raise _error()
        loop.add_reader(self._descriptor, self._read)

    def add(self, path: str) -> None:
        """Raises OSError: no such folder, no permission, or (ENOSPC) no watch left."""
        watch: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(path), _MASK)
        if watch == -1:
            raise _error(path)
        self._watches[path] = watch
        self._paths.setdefault(watch, set()).add(path)  # several where a folder is mounted twice

    def discard(self, path: str) -> None:
        watch = self._watches.pop(path, None)
        if watch is None:
            return
        paths = self._paths[watch]
        paths.discard(path)
        if not paths:
            del self._paths[watch]
            # EINVAL where the kernel has removed it already, with its folder.
            self._libc.inotify_rm_watch(self._descriptor, watch)

    def close(self) -> None:
        """Ends every watch: the kernel removes them with the descriptor."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        """Tell what each event says of each path that its watch has; of discarded ones, nothing."""
        try:
            events = os.read(self._descriptor, _BUFFER)
        except BlockingIOError:
            return
        notices, place = [], 0
        while place < len(events):
            watch, mask, _, length = _EVENT.unpack_from(events, place)
            place += _EVENT.size + length
            if mask & _Q_OVERFLOW:
                notices.append(Notice("", "", Kind.LOST))
            name = os.fsdecode(events[place - length : place].rstrip(b"\0"))
            kind = next(kind for bits, kind in _KINDS if mask & bits)
            notices += [Notice(path, name, kind) for path in self._paths.get(watch, ())]
        self._deliver(notices)


def _error(path: str | None = None) -> OSError:
    """What the call before this one failed with, as the exception that Python has for it."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
