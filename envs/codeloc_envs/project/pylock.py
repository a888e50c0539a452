"""A lock, exactly what is installed, as a `pylock.toml` (PEP 751), and the local packages in it."""

from __future__ import annotations

import datetime
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeloc_envs.files import read_text
from codeloc_envs.fingerprint import canonical, digest_bytes
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project import setuptools_files
from codeloc_envs.project.pyproject import Pyproject, read_pyproject

_BUILT = frozenset({"build", "dist"})
_ASIDE = frozenset({"__pycache__", "node_modules", "venv"})
BUILD_FILES = ("pyproject.toml", *setuptools_files.NAMES)


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A package that is installed from a path on this machine, and what of it counts.

    Where it is, and whether its sources are used in place.
    """

    name: str
    path: Path
    editable: bool

    def files(self) -> tuple[Path, ...]:
        """The files that count: all of a copy, those that a build reads of an editable one."""
        if self.path.is_file():
            return (self.path,)
        return tuple(build_files(self.path) if self.editable else _tree(self.path))

    def digest(self) -> str:
        """Of the content that counts; the same wherever it lies."""
        return digest_bytes(
            canonical(
                [
                    [str(file.relative_to(self.path)), content_digest(file)]
                    for file in sorted(self.files())
                ]
            ).encode()
        )


def build_files(project: Path) -> Iterator[Path]:
    """What a build of `project` reads besides its sources, as far as its project file says."""
    names = [*BUILD_FILES]
    file = project / "pyproject.toml"
    if file.is_file():
        names += _dynamic_files(read_pyproject(file))
    names += setuptools_files.files_read(project)
    yield from (project / name for name in dict.fromkeys(names) if (project / name).is_file())


def content_digest(file: Path) -> str:
    """Of a project file without the tables of mere tools; of any other file as it is.

    Raises OSError, and EnvironmentProblem for an invalid project file.
    """
    if file.name == "pyproject.toml":
        return digest_bytes(canonical(read_pyproject(file).relevant).encode())
    return digest_bytes(file.read_bytes())


def _dynamic_files(pyproject: Pyproject) -> Iterator[str]:
    """https://setuptools.pypa.io/en/stable/userguide/pyproject_config.html#dynamic-metadata"""
    dynamic: Mapping[str, Any] = (pyproject.tool("setuptools") or {}).get("dynamic", {})
    for rule in dynamic.values():
        named = rule.get("file", ()) if isinstance(rule, Mapping) else ()
        yield from [named] if isinstance(named, str) else named


def _tree(root: Path) -> Iterator[Path]:
    """Files below `root` but those of builds, caches, version control and environments."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        top = here == root
        folders[:] = [name for name in folders if _counts(here / name, top)]
        yield from (here / name for name in names if not name.endswith(".pyc"))


def _counts(folder: Path, top: bool) -> bool:
    name = folder.name
    built = (top and name in _BUILT) or name.endswith(".egg-info")
    aside = name in _ASIDE or name.startswith(".")
    return not (built or aside or (folder / "pyvenv.cfg").exists())


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


def pinned(lock: Lock) -> str | None:
    """A lock as pinned requirements, where its packages come from indexes.

    uv caches what a `pylock.toml` names by its address, and asks again for all of it whenever one
    package is missing; what comes from an index it caches by version, for good (measured: one more
    package beside dagster and pandas took 180 MB and all the downloads again).

    The text of a requirements file, None where the lock says more than that can.

    The hashes make sure that the same files are installed, whichever index has them.
    """
    if not lock.packages or not all(map(_has_hashes, lock.packages)):
        return None
    return "".join(f"{' '.join(_words(each))}\n" for each in lock.packages)


def _has_hashes(package: Mapping[str, Any]) -> bool:
    elsewhere = {"directory", "archive", "vcs", "index"} & package.keys()
    files = list(_files(package))
    return (
        bool(files)
        and not elsewhere
        and "version" in package
        and all(file.get("hashes") for file in files)
    )


def _words(package: Mapping[str, Any]) -> Iterator[str]:
    yield f"{package['name']}=={package['version']}"
    if "marker" in package:
        yield f"; {package['marker']}"
    for file in _files(package):
        for name, digest in file["hashes"].items():
            yield f"--hash={name}:{digest}"


def _files(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from package.get("wheels", ())
    if "sdist" in package:
        yield package["sdist"]
