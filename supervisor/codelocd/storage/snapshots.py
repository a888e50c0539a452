"""What is kept of each location on disk, for who asks when nothing of it runs any more."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.files import replace_text
from codelocd.model import Snapshot
from codelocd.storage.paths import file_name


class Documents:
    """A JSON document for each location, replaced as a whole. What cannot be written or read is
    not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, location: str, document: Mapping[str, Any]) -> None:
        path, text = self._path(location), json.dumps(document)
        with contextlib.suppress(OSError):
            try:
                replace_text(path, text)
            except FileNotFoundError:  # its folder was removed, or was never there
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace_text(path, text)

    def last(self, location: str) -> dict[str, Any] | None:
        return _read(self._path(location))

    def all(self) -> list[dict[str, Any]]:
        found = map(_read, sorted(self._folder.glob("*.json")))
        return [document for document in found if document is not None]

    def forget(self, location: str) -> None:
        with contextlib.suppress(OSError):
            self._path(location).unlink()

    def _path(self, location: str) -> Path:
        return self._folder / f"{file_name(location)}.json"


class Snapshots:
    """The last good snapshot of each: a daemon that starts with broken code has it."""

    def __init__(self, folder: Path) -> None:
        self._documents = Documents(folder)

    def keep(self, location: str, snapshot: Snapshot) -> None:
        self._documents.keep(location, snapshot.to_json())

    def last(self, location: str) -> Snapshot | None:
        document = self._documents.last(location)
        try:
            return Snapshot.from_json(document) if document is not None else None
        except (ValueError, KeyError):
            return None

    def forget(self, location: str) -> None:
        self._documents.forget(location)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
