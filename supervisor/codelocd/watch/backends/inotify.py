"""Linux: one inotify instance and one thread for all folders.

watchdog's observers are not used here: they spend a thread on each watch, hold back moves for
half a second, keep an exhausted watch limit and a lost event to themselves, and cannot leave
out folders. One level below them, `InotifyFD` has none of these faults. It is no documented
interface: the requirement on watchdog is pinned, and tests state what is relied on.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from codelocd.watch.notices import Kind, Notice

# Neither reads nor attributes: every import by a runner would be an event.
_WRITTEN = InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_MOVED_TO
_UNSETTLED = (
    InotifyConstants.IN_CREATE | InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
)
_GONE = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF
_MASK = Mask(_WRITTEN | _UNSETTLED | _GONE | InotifyConstants.IN_ONLYDIR)

# A lost event becomes a notice; watchdog's own line about it would say nothing more.
logging.getLogger("watchdog.observers.inotify_c").setLevel(logging.ERROR)


class _Folder:
    """Turns watchdog's callbacks for one folder into notices."""

    __slots__ = ("descriptor", "path", "put")

    def __init__(self, path: str, put: Callable[[Notice], None]) -> None:
        self.path = path
        self.put = put
        self.descriptor = WatchDescriptor(-1)

    def on_event(self, event: InotifyEvent) -> None:
        self.put(Notice(self.path, os.fsdecode(event.name), _kind(event.mask)))

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        self.put(Notice(self.path, "", Kind.GONE))

    def on_queue_overflow(self) -> None:
        self.put(Notice("", "", Kind.LOST))


def _kind(mask: int) -> Kind:
    if mask & _GONE:
        return Kind.GONE
    if mask & InotifyConstants.IN_ISDIR:
        return Kind.FOLDER
    return Kind.WRITTEN if mask & _WRITTEN else Kind.UNSETTLED


class Inotify:
    """Watches folders, not what is below them. Raises OSError where there is no instance left."""

    def __init__(self, put: Callable[[Notice], None]) -> None:
        self._put = put
        self._folders: dict[str, _Folder] = {}
        self._instance = InotifyFD()
        os.set_inheritable(self._instance._inotify_fd, False)  # watchdog leaves it to children
        self._instance.start()

    def add(self, path: str) -> None:
        """Raises OSError: no such folder, no permission, or (ENOSPC) no watch left."""
        folder = _Folder(path, self._put)
        name = CallbackId(id(folder))
        folder.descriptor = self._instance.add_callback(os.fsencode(path), _MASK, folder, name)
        if folder.descriptor == -1:  # watchdog hides EACCES
            self._instance.remove_callbacks([(folder.descriptor, name)])
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        self._folders[path] = folder

    def discard(self, path: str) -> None:
        folder = self._folders.pop(path, None)
        if folder:
            self._instance.remove_callbacks([(folder.descriptor, CallbackId(id(folder)))])

    def close(self) -> None:
        self._instance.stop()
        self._instance.join()
