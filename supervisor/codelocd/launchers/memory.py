"""What was learned of environments, in files of the daemon's own: it survives a restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

from codeloc_envs.collect import IDLE
from codeloc_envs.json_file import replace_text
from codelocd.warm import Imports, Learned

GATHERING = 1.0
"""Seconds until what was learned is written: many locations that start together add to one file."""


class Memory:
    """One file for each environment, by its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._learned: dict[str, Learned] = {}
        self._unwritten: set[str] = set()
        self._writing: asyncio.TimerHandle | None = None

    def of(self, environment: str) -> Learned:
        if environment not in self._learned:
            self._learned[environment] = self._read(environment)
        return self._learned[environment]

    def keep(self, environment: str, learned: Learned) -> None:
        """On disk soon."""
        if learned == self._learned.get(environment):
            return
        self._learned[environment] = learned
        self._unwritten.add(environment)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().call_later(GATHERING, self.write)

    def write(self) -> None:
        """Now. A disk that is full costs what would have been learned, and nothing else."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        while self._unwritten:
            environment = self._unwritten.pop()
            with contextlib.suppress(OSError):
                self._write(environment, self._learned[environment])

    def forget_unused(self) -> None:
        """Remove the files of environments that this daemon has not used since its start, if they
        are older than an environment may get that nobody uses."""
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(OSError):
                if path.stem not in self._learned and time.time() - path.stat().st_mtime > IDLE:
                    path.unlink()

    def _read(self, environment: str) -> Learned:
        try:
            content = json.loads((self._folder / f"{environment}.json").read_bytes())
            locations = {
                name: Imports(_texts(each["modules"]), _texts(each["named"]))
                for name, each in content["locations"].items()
            }
            return Learned(
                locations,
                dict(zip(content["cold"], _texts([*content["cold"].values()]), strict=True)),
                _texts(content["suspicions"]),
                frozenset(_texts(content["variables"])),
                int(content["installed"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Learned()

    def _write(self, environment: str, learned: Learned) -> None:
        content = {
            "locations": {
                name: {"modules": each.modules, "named": each.named}
                for name, each in learned.locations.items()
            },
            "cold": dict(learned.cold),
            "suspicions": learned.suspicions,
            "variables": sorted(learned.variables),
            "installed": learned.installed,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_text(self._folder / f"{environment}.json", json.dumps(content))


def _texts(found: Any) -> tuple[str, ...]:
    """Raises TypeError when it is anything but a list of strings."""
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TypeError
    return tuple(found)
