"""A lock: exactly what is installed, as a `pylock.toml` (PEP 751)."""

from __future__ import annotations

import datetime
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
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


def write_packages(path: Path, packages: Iterable[Mapping[str, Any]]) -> None:
    """Let the lock at `path` hold these packages, and nothing else but its head."""
    data = {**tomllib.loads(path.read_text("utf-8")), "packages": [dict(each) for each in packages]}
    path.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in data.items()), "utf-8")


def _toml(value: Any) -> str:
    """On one line; JSON's strings are TOML's, but for the character DEL."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(name)} = {_toml(part)}" for name, part in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
