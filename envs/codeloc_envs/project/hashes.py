"""The hashes that a requirements file or a `Pipfile.lock` names, and a lock that keeps to them.

pip lets nothing be installed that has none as soon as one requirement has one
(https://pip.pypa.io/en/stable/topics/secure-installs/). uv passes over them where it writes a
lock: what it finds is compared here. Pipenv installs as it finds it what has none (a folder, git).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from codeloc_envs.files import seen_text
from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.project.other_tools import hashes
from codeloc_envs.project.pylock import Lock
from codeloc_envs.project.requirement_files import logical_lines, reached
from codeloc_envs.request import EnvironmentKind, Specification

_HASH = re.compile(r"(?<=\s)--hash(?:\s*=\s*|\s+)(\w+:[0-9a-fA-F]+)")
_REQUIRED = "--require-hashes"
_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:[\[=<>!~;@(\s]|$)")
_FILE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*?)-\d[^/\s]*$")
"""The end of an address or path without a name before it."""


@dataclass(frozen=True, slots=True)
class PackageLine:
    """Where a package is asked for: `line` counts from 1, 0 where the format has no lines."""

    file: Path
    line: int
    hashes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else str(self.file)


@dataclass(frozen=True, slots=True)
class Hashes:
    """The places by the package's normalised name; `first` is the one that made hashes count.

    `all_need_one`: no package may be installed that has none.
    """

    places: Mapping[str, list[PackageLine]] = field(default_factory=dict[str, list[PackageLine]])
    first: PackageLine | None = None
    all_need_one: bool = True

    def allowed(self, name: str) -> frozenset[str]:
        """`ALGORITHM:DIGEST` of every file that may be installed for `name`."""
        return frozenset().union(*(place.hashes for place in self.places.get(name, ())))


def named_hashes(specification: Specification) -> Hashes:
    """What is named where `specification` describes its packages; raises EnvironmentProblem."""
    request = specification.request
    if specification.kind is EnvironmentKind.PIPENV and request.lock is not None:
        return _of_pipenv(request.lock)
    if specification.kind is EnvironmentKind.PACKAGES and request.requirements:
        return _of_requirements(specification)
    return Hashes()


def held_to(lock: Lock, hashes: Hashes) -> list[dict[str, Any]]:
    """The packages of `lock`, each with those of its files that have a hash that is named.

    Raises EnvironmentProblem for every package without such a file: the first in its one line.
    """
    kept, faults = list[dict[str, Any]](), list[str]()
    for package in lock.packages:
        name = canonicalize_name(package["name"])
        allowed = hashes.allowed(name)
        if not allowed and not hashes.all_need_one:
            kept.append(dict(package))
        elif not allowed:
            faults.append(_lacking(package, hashes))
        elif left := _restricted(package, allowed):
            kept.append(left)
        else:
            faults.append(_other(package, hashes.places[name]))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        files = tuple({place.file for places in hashes.places.values() for place in places})
        raise EnvironmentProblem(faults[0] + more, "\n".join(faults[1:]), inputs=files)
    return kept


def place_of(digests: Iterable[str], files: Iterable[Path]) -> str | None:
    """The file and line of the first of `files` where one of `digests` stands."""
    wanted = frozenset(digests)
    for file in files:
        line = line_with(file, wanted)
        if line:
            return f"{file}, line {line}"
    return None


def line_with(file: Path, texts: Iterable[str]) -> int | None:
    """The first line that has one of them, counted from 1."""
    found = re.compile("|".join(map(re.escape, texts)) or "(?!)")
    lines = (seen_text(file) or "").splitlines()
    return next((number for number, line in enumerate(lines, 1) if found.search(line)), None)


def _of_requirements(specification: Specification) -> Hashes:
    places, first = dict[str, list[PackageLine]](), None
    for file in reached(specification.request.requirements):
        for number, line in logical_lines(file.text):
            place = PackageLine(file.path, number, frozenset(map(str.lower, _HASH.findall(line))))
            if first is None and (place.hashes or line == _REQUIRED):
                first = place
            name = _name(line)
            if name:
                places.setdefault(name, []).append(place)
    return Hashes(places, first)


def _of_pipenv(lock: Path) -> Hashes:
    named = hashes(lock)
    places: dict[str, list[PackageLine]] = {
        canonicalize_name(name): [PackageLine(lock, line_with(lock, found) or 0, found)]
        for name, found in named.items()
    }
    return Hashes(places, next((each for [each] in places.values()), None), all_need_one=False)


def _name(line: str) -> str | None:
    """The normalised name of what a line asks for, None for options and what has no name."""
    if line.startswith("-"):
        return None
    found = _NAME.match(line) or _FILE.search(line.split()[0].partition("#")[0])
    return canonicalize_name(found[1]) if found else None


def _restricted(package: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any] | None:
    """`package` with the files that are allowed, None if there is none."""
    wheels = [file for file in package.get("wheels", ()) if _digests(file) & allowed]
    single = {
        name: package[name]
        for name in ("sdist", "archive")
        if name in package and _digests(package[name]) & allowed
    }
    if not wheels and not single:
        return None
    others = {
        name: value for name, value in package.items() if name not in ("wheels", "sdist", "archive")
    }
    return {**others, **single, **({"wheels": wheels} if wheels else {})}


def _digests(file: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(f"{name}:{value}".lower() for name, value in file.get("hashes", {}).items())


def _other(package: Mapping[str, Any], places: list[PackageLine]) -> str:
    said = next(place for place in places if place.hashes)
    return (
        f"{said}: no file of {package['name']} {package.get('version', '')} that there is has a "
        "hash that stands there; pin its version and update its hashes, or find out why the file "
        "changed"
    )


def _lacking(package: Mapping[str, Any], hashes: Hashes) -> str:
    name, rule = package["name"], "where one requirement has a hash, each needs one"
    places = hashes.places.get(canonicalize_name(name))
    if {"directory", "vcs"} & package.keys():
        return f"{name} is a folder or a repository, which has no hash; {hashes.first}: {rule}"
    if places:
        return f"{places[0]}: {name} has no hash, {_beside(places[0], hashes)} asks for one; {rule}"
    return (
        f"{name} is installed too, and has no hash; {hashes.first}: {rule}: "
        f"add {name}=={package.get('version', 'VERSION')} with its own"
    )


def _beside(place: PackageLine, hashes: Hashes) -> str:
    first = hashes.first
    assert first is not None, "what lacks a hash is found where another has one"
    return f"line {first.line}" if first.file == place.file else str(first)
