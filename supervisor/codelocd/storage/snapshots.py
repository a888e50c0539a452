"""Keeps JSON documents of each location on disk, such as its last good snapshot."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder, read_record, replace_bytes
from codelocd.core import shapes
from codelocd.model import Snapshot
from codelocd.storage.paths import file_name


class Documents:
    """A JSON document for each location, replaced as a whole. What cannot be read is not there.

    What cannot be written, as on a full disk, is written with the next one that is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unwritten: dict[str, bytes] = {}

    def keep(self, location: str, document: Mapping[str, Any]) -> None:
        self.keep_encoded(location, json.dumps(document).encode())

    def keep_encoded(self, location: str, document: bytes) -> None:
        """The same of a document that is JSON already."""
        self._unwritten[location] = document
        for name, data in list(self._unwritten.items()):
            with contextlib.suppress(OSError):
                self._write(self.path(name), data)
                del self._unwritten[name]

    def _write(self, path: Path, data: bytes) -> None:
        try:
            replace_bytes(path, data)
        except FileNotFoundError:  # its folder was removed, or was never there
            make_folder(self._folder)
            replace_bytes(path, data)

    def all(self) -> list[dict[str, Any]]:
        """Those that have a name; what is damaged is left as it is, and out."""
        found = [_read(path) for path in sorted(self._folder.glob("*.json"))]
        return [each for each in found if each and isinstance(each.get("name"), str)]

    def forget(self, location: str) -> None:
        self._unwritten.pop(location, None)
        with contextlib.suppress(OSError):
            self.path(location).unlink()

    def path(self, location: str) -> Path:
        return self._folder / f"{file_name(location)}.json"


def stopped(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of stopped locations, by the last entries of `status`."""
    return [each["name"] for each in entries if each.get("wanted") is False]


LARGE = 1024 * 1024
"""Bytes of a kept snapshot that take more than some milliseconds to read."""


class Snapshots:
    """The last good snapshot of each: a daemon that starts with broken code has it.

    Large ones are written by a thread of its own. What is asked for while that is at work waits
    its turn there, so that the newest is what stays.
    """

    def __init__(self, folder: Path) -> None:
        self._documents = Documents(folder)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self._written: Future[None] | None = None

    def keep(self, location: str, snapshot: Snapshot) -> None:
        document = snapshot.to_json()
        self._in_turn(lambda: self._documents.keep(location, document))

    def keep_encoded(self, location: str, document: bytes) -> None:
        """Keep one that is JSON already; returns at once."""
        keep = partial(self._documents.keep_encoded, location, document)
        try:
            self._written = self._writer.submit(keep)
        except RuntimeError:  # the machine has no thread left
            keep()

    def is_large(self, location: str) -> bool:
        """Whether to read it on another thread."""
        with contextlib.suppress(OSError):
            return self._documents.path(location).stat().st_size > LARGE
        return False

    def last(self, location: str) -> Snapshot | None:
        """None where there is none to read; a damaged one is set aside."""
        with contextlib.suppress(OSError):
            path = self._documents.path(location)
            return read_record(path, shapes.snapshot, decoded=shapes.decoded)
        return None

    def forget(self, location: str) -> None:
        self._in_turn(lambda: self._documents.forget(location))

    def close(self) -> None:
        """Returns when all is written."""
        self._writer.shutdown()

    def _in_turn(self, work: Callable[[], None]) -> None:
        if self._written is None or self._written.done():
            work()
        else:
            self._written = self._writer.submit(work)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
