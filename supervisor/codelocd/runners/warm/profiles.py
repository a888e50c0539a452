"""Keeps the import profiles on disk for the next daemon."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

from codeloc_envs.files import make_folder, read_record, replace_text, texts
from codeloc_envs.store.collect import IDLE
from codelocd.runners.warm.profile import ImportProfile, Imports

GATHERING = 1.0
"""Seconds until what was learned is written: many locations that start together add to one file."""


class ImportProfiles:
    """What was learned of each environment: one file for each in `folder`, by its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._profiles: dict[str, ImportProfile] = {}
        self._unwritten: set[str] = set()
        self._writing: asyncio.TimerHandle | None = None

    def of(self, environment: str) -> ImportProfile:
        if environment not in self._profiles:
            self._profiles[environment] = self._read(environment)
        return self._profiles[environment]

    def keep(self, environment: str, profile: ImportProfile) -> bool:
        """On disk soon. Whether it is news."""
        if profile == self._profiles.get(environment):
            return False
        self._profiles[environment] = profile
        self._unwritten.add(environment)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().call_later(GATHERING, self.write)
        return True

    def write(self) -> None:
        """Now. A disk that is full costs what would have been learned, and nothing else."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        while self._unwritten:
            environment = self._unwritten.pop()
            with contextlib.suppress(OSError):
                self._write(environment, self._profiles[environment])

    def forget_unused(self) -> None:
        """Remove the files of environments that this daemon has not used since its start, if they
        are older than an unused environment may get."""
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stem not in self._profiles and time.time() - path.stat().st_mtime > IDLE:
                    path.unlink()

    def _read(self, environment: str) -> ImportProfile:
        try:
            kept = read_record(self._folder / f"{environment}.json", _profile)
        except OSError:
            kept = None
        return kept or ImportProfile()

    def _write(self, environment: str, profile: ImportProfile) -> None:
        content = {
            "locations": {
                name: {"modules": each.modules, "named": each.named}
                for name, each in profile.locations.items()
            },
            "cold": dict(profile.cold),
            "suspicions": profile.suspicions,
            "variables": sorted(profile.variables),
            "installed": profile.installed,
            "seconds": dict(profile.seconds),
        }
        make_folder(self._folder)
        replace_text(self._folder / f"{environment}.json", json.dumps(content))


def _profile(content: Any) -> ImportProfile:
    """Raises what read_record expects of another shape."""
    locations = {
        name: Imports(texts(each["modules"]), texts(each["named"]))
        for name, each in content["locations"].items()
    }
    return ImportProfile(
        locations,
        dict(zip(content["cold"], texts([*content["cold"].values()]), strict=True)),
        texts(content["suspicions"]),
        frozenset(texts(content["variables"])),
        int(content["installed"]),
        _numbers(content.get("seconds", {})),  # older files have none
    )


def _numbers(found: Any) -> dict[str, float]:
    """Raises TypeError or ValueError when it is anything but numbers by name."""
    return {str(name): float(number) for name, number in dict(found).items()}
