"""A lock: exactly what is installed, as a `pylock.toml` (PEP 751)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.local_source import LocalSource
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.text_file import read_text

_UNIMPORTANT = frozenset({"upload-time", "size", "index"})


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file that was read: relative paths in it start at its folder."""

    path: Path
    packages: tuple[Mapping[str, Any], ...]

    def sources(self) -> Iterator[LocalSource]:
        """The packages that are installed from folders or archives on this machine."""
        for package in self.packages:
            for table in ("directory", "archive"):
                where = package.get(table, {})
                if "path" in where:
                    path = Path(self._absolute(where["path"]))
                    yield LocalSource(package["name"], path, bool(where.get("editable")))

    def fingerprint(self) -> list[Any]:
        """The packages, without what differs between indexes that serve the same file."""
        return [self._important(package) for package in self.packages]

    def _important(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            aside = _UNIMPORTANT | {"url"} if "hashes" in value else _UNIMPORTANT
            return {
                name: self._absolute(part) if name == "path" else self._important(part)
                for name, part in value.items()
                if name not in aside
            }
        return [self._important(item) for item in value] if isinstance(value, list) else value

    def _absolute(self, path: str) -> str:
        return os.path.normpath(self.path.parent / path)


def read_lock(path: Path) -> Lock:
    """Raises EnvironmentProblem if it is missing or broken."""
    try:
        data = tomllib.loads(read_text(path, "lock file"))
    except tomllib.TOMLDecodeError as error:
        raise EnvironmentProblem(f"{path} is not valid TOML: {error}", inputs=(path,)) from None
    packages = data.get("packages", [])
    if "lock-version" not in data or not all("name" in each for each in packages):
        raise EnvironmentProblem(
            f"{path} is no pylock.toml: it has no lock-version, or a package without a name",
            inputs=(path,),
        )
    return Lock(path, tuple(packages))
