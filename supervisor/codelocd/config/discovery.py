"""The config that `dev` without a target takes, and those beside it that it does not."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from codeloc_envs.text_file import read_bytes
from codelocd.config.kinds import PYPROJECT, TOOLS, Kind, file_of

_HEADER = re.compile(r"^\s*\[+\s*tool\s*\.\s*(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A config that is there; `str()` names it for a person."""

    kind: Kind
    path: Path

    def __str__(self) -> str:
        table = f" {self.kind}" if self.kind in TOOLS.values() else ""
        return f"{self.path}{table}"


@dataclass(frozen=True, slots=True)
class Found:
    """The config that is taken, and the others of its folder, which are not."""

    taken: Candidate
    others: tuple[Candidate, ...] = ()

    @property
    def path(self) -> Path:
        return self.taken.path

    @property
    def preferred(self) -> tuple[Path, ...]:
        """The files of its folder that would be taken instead, if they were there."""
        names = dict.fromkeys(file_of(kind) for kind in takewhile(self._is_before, Kind))
        return tuple(self.folder / name for name in names)

    def _is_before(self, kind: Kind) -> bool:
        return kind is not self.taken.kind

    @property
    def folder(self) -> Path:
        return self.taken.path.parent


def discover(start: Path) -> Found | None:
    """What the first folder from `start` (absolute) upwards has; None where none has any."""
    for folder in (start, *start.parents):
        candidates = _candidates(folder)
        if candidates:
            return Found(candidates[0], tuple(candidates[1:]))
    return None


def tables(text: str) -> list[Kind]:
    """Which of our tables a pyproject.toml has, first the one that wins.

    One that is no valid TOML at the moment still counts by its headers: to take the config of
    a folder above instead would hide the mistake.
    """
    try:
        found = tomllib.loads(text).get("tool", {})
        names = [name for name, table in found.items() if not _is_deployment(name, table)]
    except (ValueError, RecursionError):
        names = _HEADER.findall(text)
    return [kind for name, kind in TOOLS.items() if name in names]


def _is_deployment(name: str, table: object) -> bool:
    """`create-dagster` marks the folder of dg's own environment so: it has no locations."""
    return name == "dg" and isinstance(table, dict) and table.get("directory_type") == "deployment"


def _candidates(folder: Path) -> list[Candidate]:
    found = _tables(folder / PYPROJECT)
    return [
        Candidate(kind, folder / file_of(kind))
        for kind in Kind
        if (kind in found if kind in TOOLS.values() else (folder / file_of(kind)).is_file())
    ]


def _tables(path: Path) -> list[Kind]:
    try:
        data = read_bytes(path)
    except OSError:
        return []
    return tables(data.decode("utf-8-sig", "replace"))
