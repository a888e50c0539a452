"""The last good snapshot of each location on disk: a daemon that starts with broken code has it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from codelocd.file_name import file_name
from codelocd.model import Snapshot


class Snapshots:
    """One file per location, replaced as a whole. What cannot be written or read is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, location: str, snapshot: Snapshot) -> None:
        path = self._path(location)
        new = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_text(json.dumps(snapshot.to_json()), encoding="utf-8")
            new.replace(path)
        except OSError:
            _remove(new)

    def last(self, location: str) -> Snapshot | None:
        try:
            return Snapshot.from_json(json.loads(self._path(location).read_bytes()))
        except (OSError, ValueError, KeyError):
            return None

    def forget(self, location: str) -> None:
        _remove(self._path(location))

    def _path(self, location: str) -> Path:
        return self._folder / f"{file_name(location)}.json"


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
