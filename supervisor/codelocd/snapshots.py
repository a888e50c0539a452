"""The last good snapshot of each location on disk: a daemon that starts with broken code has it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from codeloc_envs.json_file import replace_text
from codelocd.file_name import file_name
from codelocd.model import Snapshot


class Snapshots:
    """One file per location, replaced as a whole. What cannot be written or read is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, location: str, snapshot: Snapshot) -> None:
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_text(self._path(location), json.dumps(snapshot.to_json()))

    def last(self, location: str) -> Snapshot | None:
        try:
            return Snapshot.from_json(json.loads(self._path(location).read_bytes()))
        except (OSError, ValueError, KeyError):
            return None

    def forget(self, location: str) -> None:
        with contextlib.suppress(OSError):
            self._path(location).unlink()

    def _path(self, location: str) -> Path:
        return self._folder / f"{file_name(location)}.json"
