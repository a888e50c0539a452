"""Keeps JSON documents of each location on disk, such as its last good snapshot."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder, read_record, replace_text
from codelocd.core import shapes
from codelocd.model import Snapshot
from codelocd.storage.paths import file_name


class Documents:
    """A JSON document for each location, replaced as a whole. What cannot be read is not there.

    What cannot be written, as on a full disk, is written with the next one that is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unwritten: dict[str, str] = {}

    def keep(self, location: str, document: Mapping[str, Any]) -> None:
        self._unwritten[location] = json.dumps(document)
        for name, text in list(self._unwritten.items()):
            with contextlib.suppress(OSError):
                self._write(self.path(name), text)
                del self._unwritten[name]

    def _write(self, path: Path, text: str) -> None:
        try:
            replace_text(path, text)
        except FileNotFoundError:  # its folder was removed, or was never there
            make_folder(self._folder)
            replace_text(path, text)

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


class Snapshots:
    """The last good snapshot of each: a daemon that starts with broken code has it."""

    def __init__(self, folder: Path) -> None:
        self._documents = Documents(folder)

    def keep(self, location: str, snapshot: Snapshot) -> None:
        self._documents.keep(location, snapshot.to_json())

    def last(self, location: str) -> Snapshot | None:
        """None where there is none to read; a damaged one is set aside."""
        with contextlib.suppress(OSError):
            return read_record(self._documents.path(location), shapes.snapshot)
        return None

    def forget(self, location: str) -> None:
        self._documents.forget(location)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
