"""The lock that a description was resolved to, kept until one of its inputs changes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.fingerprint import EnvironmentKey
from codeloc_envs.json_file import read_json, write_json
from codeloc_envs.local_source import LocalSource
from codeloc_envs.problem import EnvironmentProblem

LOCK_NAME = "pylock.toml"
RECORD_NAME = "resolution.json"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the inputs key stands for: a lock, and the environment that it gives.

    `sources` are digests of the local packages in it by path and manner (`editable` or `copy`):
    they change without any description changing. `resolved` is Unix time, `why` what was
    described.
    """

    environment: EnvironmentKey
    lock: Path
    sources: Mapping[str, str]
    resolved: float
    why: str = ""

    def is_current(self) -> bool:
        """The local packages are still what they were."""
        try:
            now = {name: _source(name).digest() for name in self.sources}
        except (OSError, EnvironmentProblem):
            return False
        return now == self.sources

    def files(self) -> tuple[Path, ...]:
        """The files of the local packages that count."""
        return tuple(file for name in self.sources for file in _source(name).files())


def reasons(folders: Iterable[Path]) -> dict[str, list[str]]:
    """What was described, by the environment that it gives; looking at them is no use."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        data = read_json(folder / RECORD_NAME)
        if data and data.get("why"):
            found.setdefault(data["environment"], []).append(data["why"])
    return found


def source_name(source: LocalSource) -> str:
    """The key of a source in `Resolution.sources`."""
    return f"{'editable' if source.editable else 'copy'}:{source.path}"


def read_resolution(folder: Path) -> Resolution | None:
    """What is kept in `folder`; reading it counts as use."""
    data: dict[str, Any] | None = read_json(folder / RECORD_NAME)
    if data is None or not Path(data["lock"]).is_file():
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / RECORD_NAME)
    return Resolution(**{**data, "lock": Path(data["lock"])})


def write_resolution(folder: Path, resolution: Resolution) -> None:
    write_json(folder / RECORD_NAME, {**asdict(resolution), "lock": str(resolution.lock)})


def _source(name: str) -> LocalSource:
    manner, _, path = name.partition(":")
    return LocalSource("", Path(path), manner == "editable")
