"""Finds the config that a command means, and decides whether it may be taken."""

from __future__ import annotations

import enum
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from codeloc_envs.files import seen_bytes
from codeloc_envs.ownership import distrusted, own_users
from codelocd.config.errors import ConfigError, Mistake
from codelocd.core import config_files
from codelocd.core.config_files import CODELOCD_TOML, PYPROJECT


class ConfigKind(enum.StrEnum):
    """A format, by the name of its file or table; first comes what discovery prefers."""

    CODELOCD_TOML = config_files.CODELOCD_TOML
    TOOL_CODELOCD = "[tool.codelocd]"
    DG_TOML = config_files.DG_TOML
    TOOL_DAGSTER = "[tool.dagster]"
    TOOL_DG = "[tool.dg]"
    WORKSPACE = config_files.WORKSPACE
    WORKSPACE_YML = config_files.WORKSPACE_YML
    BUILD = config_files.BUILD
    DAGSTER_CLOUD = config_files.DAGSTER_CLOUD


TOOLS = {name: ConfigKind(f"[tool.{name}]") for name in config_files.TOOLS}
"""The tables under [tool] in pyproject.toml, first the one that wins."""


FILE_OF = {kind: PYPROJECT if kind in TOOLS.values() else kind.value for kind in ConfigKind}
"""The name of the file that a config of each kind stands in."""


_HEADER = re.compile(r"^\s*\[+\s*tool\s*\.\s*(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A config that is there; `str()` names it for a person."""

    kind: ConfigKind
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
        names = dict.fromkeys(FILE_OF[kind] for kind in takewhile(self._is_before, ConfigKind))
        return tuple(self.folder / name for name in names)

    def _is_before(self, kind: ConfigKind) -> bool:
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


def tables(text: str) -> list[ConfigKind]:
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
        Candidate(kind, folder / FILE_OF[kind])
        for kind in ConfigKind
        if (kind in found if kind in TOOLS.values() else (folder / FILE_OF[kind]).is_file())
    ]


def _tables(path: Path) -> list[ConfigKind]:
    data = seen_bytes(path)
    return [] if data is None else tables(data.decode("utf-8-sig", "replace"))


# --- which of the files that were found may decide what is run ---------------------------------

ANYWHERE = "*"


def check_found(path: Path, environ: Mapping[str, str], owners: Iterable[int] = ()) -> None:
    """Refuse a file that was found by searching, and that somebody else than the caller, root and
    the `owners` decides about: ConfigError.

    As git does with repositories (`safe.directory`); `[daemon] trusted` in the user's own config,
    or in the system's, names the folders where it is meant all the same.
    """
    why = distrusted(path, own_users(environ).union(owners))
    if why is None or _is_allowed(path, environ):
        return
    what = f"is not taken: {why}, and it decides what is run as you (user {os.geteuid()})"
    own = _own_settings(environ)
    how = f'if you trust it, add "{path.parent}" to `trusted` under [daemon] in {own}'
    raise ConfigError([Mistake(str(path), None, (), what, how)])


def remark(path: Path, environ: Mapping[str, str]) -> str | None:
    """What to say of a config that was named: it is taken, even if other users can change it."""
    why = distrusted(path, own_users(environ))
    return f"{path} decides what is run, and {why}" if why else None


def is_settings(path: Path, environ: Mapping[str, str]) -> bool:
    """Whether `[daemon] trusted` means anything there."""
    return path in _settings(environ)


def _is_allowed(path: Path, environ: Mapping[str, str]) -> bool:
    places = [path.parent, Path(os.path.realpath(path.parent))]
    for text in _trusted(environ):
        folder = os.path.expanduser(text)
        if text == ANYWHERE or any(place.is_relative_to(folder) for place in places):
            return True
    return False


def _trusted(environ: Mapping[str, str]) -> Iterator[str]:
    """What the settings say; those that others decide about themselves say nothing."""
    for file in _settings(environ):
        if distrusted(file, (os.geteuid(), 0)) is None:
            daemon = _parsed(seen_bytes(file)).get("daemon")
            listed = daemon.get("trusted") if isinstance(daemon, dict) else None
            yield from (text for text in listed or () if isinstance(text, str) and text)


def _parsed(data: bytes | None) -> dict[str, Any]:
    try:
        return tomllib.loads((data or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}


def _settings(environ: Mapping[str, str]) -> tuple[Path, ...]:
    return (_own_settings(environ), Path("/etc/codelocd", CODELOCD_TOML))


def _own_settings(environ: Mapping[str, str]) -> Path:
    given = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(given, "codelocd", CODELOCD_TOML)
