"""Other systems than Linux: watchdog's observer for the platform, a watch for each folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from codelocd.watch.notices import Kind, Notice


class Portable(FileSystemEventHandler):
    """Watches folders, not what is below them."""

    def __init__(
        self, put: Callable[[Notice], None], make: Callable[[], BaseObserver] = Observer
    ) -> None:
        self._put = put
        self._watches: dict[str, ObservedWatch] = {}
        self._observer = make()
        self._observer.start()

    def add(self, path: str) -> None:
        """Raises OSError where the folder cannot be watched."""
        self._watches[path] = self._observer.schedule(self, path)

    def discard(self, path: str) -> None:
        watch = self._watches.pop(path, None)
        if watch:
            self._observer.unschedule(watch)

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path, kind in _entries(event):
            self._put(self._notice(path, kind))

    def _notice(self, path: str, kind: Kind) -> Notice:
        if kind is Kind.FOLDER and path in self._watches:
            return Notice(path, "", Kind.GONE)
        folder, name = os.path.split(path)
        return Notice(folder, name, kind)


def _entries(event: FileSystemEvent) -> Iterator[tuple[str, Kind]]:
    source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
    if event.is_directory:
        if event.event_type in {EVENT_TYPE_CREATED, EVENT_TYPE_DELETED, EVENT_TYPE_MOVED}:
            yield from ((path, Kind.FOLDER) for path in (source, target) if path)
    elif event.event_type == EVENT_TYPE_MOVED:
        yield source, Kind.UNSETTLED
        yield target, Kind.WRITTEN
    elif event.event_type in {EVENT_TYPE_CREATED, EVENT_TYPE_DELETED}:
        yield source, Kind.UNSETTLED
    elif event.event_type in {EVENT_TYPE_MODIFIED, EVENT_TYPE_CLOSED}:
        yield source, Kind.WRITTEN
