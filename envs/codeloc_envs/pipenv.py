"""`Pipfile` and `Pipfile.lock`, as lines of a requirements file.

https://pipenv.pypa.io/en/latest/pipfile.html
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.dependency_table import line
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.text_file import read_text

LOCK = "Pipfile.lock"
NAMES = (LOCK, "Pipfile")
_USUAL = "pypi"
"""The name of the index that whatever is configured stands for."""


def requirements(file: Path) -> list[str]:
    """What it installs without `--dev`; raises EnvironmentProblem if it cannot be read."""
    data = _read(file)
    lines = (_line(name, said, file) for name, said in _installed(file, data).items())
    return [*_indexes(data), *lines]


def names(file: Path, *, development: bool = False) -> list[str]:
    """What it names, for use or for development. Raises EnvironmentProblem."""
    locked = file.name == LOCK
    table = ("develop" if locked else "dev-packages", "default" if locked else "packages")
    return list(_read(file).get(table[not development], {}))


def hashes(lock: Path) -> dict[str, frozenset[str]]:
    """The hashes of each package that a `Pipfile.lock` installs, `ALGORITHM:DIGEST`; those of a
    `Pipfile`, too, though hardly one has any. Raises EnvironmentProblem.
    """
    table = _installed(lock, _read(lock))
    named = {name: said for name, said in table.items() if isinstance(said, Mapping)}
    return {
        name: frozenset(str(each).lower() for each in said["hashes"])
        for name, said in named.items()
        if said.get("hashes")
    }


def requires_python(file: Path) -> str | None:
    """As a specifier. Raises EnvironmentProblem."""
    data = _read(file)
    said = data.get("_meta", {}).get("requires", {}) if file.name == LOCK else data.get("requires")
    version = (said or {}).get("python_full_version") or (said or {}).get("python_version")
    if not isinstance(version, str) or version == "*":
        return None
    return f"=={version}" if version.count(".") > 1 else f"=={version}.*"


def _installed(file: Path, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it installs without `--dev`, by name."""
    table: Mapping[str, Any] = data.get("default" if file.name == LOCK else "packages", {})
    return table


def _indexes(data: Mapping[str, Any]) -> Iterator[str]:
    """Other places than the usual one; that one is as uv and pip are configured."""
    sources = data.get("_meta", {}).get("sources") or data.get("source") or ()
    for source in sources:
        if source.get("name") != _USUAL and source.get("url"):
            yield f"--extra-index-url {source['url']}"


def _line(name: str, said: object, file: Path) -> str:
    entry = said if isinstance(said, Mapping) else {"version": said}
    return line(name, entry, file.parent)


def _read(file: Path) -> Mapping[str, Any]:
    text = read_text(file, "project file of Pipenv")
    try:
        data: Any = json.loads(text) if file.name == LOCK else tomllib.loads(text)
    except ValueError as error:
        raise EnvironmentProblem(f"{file} cannot be parsed: {error}", inputs=(file,)) from None
    if not isinstance(data, Mapping):
        raise EnvironmentProblem(f"{file} holds no table; lock again", inputs=(file,))
    return data
