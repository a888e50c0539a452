"""Translates Poetry's and Pipenv's files into requirements for pip and uv.

https://python-poetry.org/docs/dependency-specification/ and
https://pipenv.pypa.io/en/latest/pipfile.html
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.files import read_text
from codeloc_envs.problem import EnvironmentProblem


def dependency_line(name: str, entry: Mapping[str, Any], folder: Path) -> str:
    """A dependency in a table, as Pipenv and Poetry write it, as a line for pip.

    The requirement; `version` is a specifier or `*`, paths start at `folder`.
    """
    extras = ",".join(entry.get("extras") or ())
    full = f"{name}[{extras}]" if extras else name
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    where = entry.get("path") or entry.get("file") or entry.get("url")
    if "git" in entry:
        revision = next(
            (entry[key] for key in ("ref", "rev", "tag", "branch") if entry.get(key)), ""
        )
        return f"{full} @ git+{entry['git']}{'@' if revision else ''}{revision}{marker}"
    if where and "://" not in where:
        path = Path(os.path.normpath(folder / where))
        if entry.get("editable"):
            return f"-e {path}{f'[{extras}]' if extras else ''}{marker}"
        return f"{full} @ {path.as_uri()}{marker}"
    if where:
        return f"{full} @ {where}{marker}"
    version = entry.get("version") or ""
    return f"{full}{'' if version == '*' else version}{marker}"


_PART = re.compile(r"(\^|~=|~|===?|!=|<=|>=|<|>)?\s*([0-9][\w.*+!-]*)")


def poetry_python(table: Mapping[str, Any]) -> str | None:
    """As a specifier of PEP 440; None where none is said, or where it is several ranges."""
    said = _table(table, "dependencies").get("python")
    found = poetry_specifier(said) if isinstance(said, str) else None
    return found or None


def poetry_requirements(
    table: Mapping[str, Any], file: Path, extras: tuple[str, ...], groups: tuple[str, ...]
) -> list[str]:
    """The lines of a requirements file that ask for the same, with these extras and groups.

    Raises EnvironmentProblem for what has no such line.
    """
    chosen = dict(_table(table, "dependencies"))
    named = {name for extra in extras for name in _table(table, "extras").get(extra, ())}
    for group in groups:
        chosen |= _table(_table(_table(table, "group"), group), "dependencies")
    lines = []
    for name, said in chosen.items():
        if name.lower() == "python":
            continue
        for each in said if isinstance(said, list) else [said]:
            if isinstance(each, Mapping) and each.get("optional") and name not in named:
                continue
            lines.append(_poetry_line(name, each, file))
    return lines


def poetry_specifier(said: str) -> str | None:
    """`^1.2` as `>=1.2,<2`; "" for any version, None for what is no single range."""
    text = said.strip()
    if text in ("", "*"):
        return ""
    if "|" in text or _PART.sub("", text).replace(",", "").strip():
        return None
    return ",".join(part for sign, version in _PART.findall(text) for part in _parts(sign, version))


def _parts(sign: str, version: str) -> Iterator[str]:
    if sign not in ("^", "~"):
        yield f"{sign or '=='}{version}"
        return
    numbers = [int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part]  # type: ignore[index]
    last = min(1, len(numbers) - 1)
    if sign == "^":
        last = next((at for at, number in enumerate(numbers) if number), len(numbers) - 1)
    end = [*numbers[:last], numbers[last] + 1]
    yield f">={version}"
    yield f"<{'.'.join(map(str, end))}"


def _poetry_line(name: str, said: object, file: Path) -> str:
    entry: dict[str, Any] = dict(said) if isinstance(said, Mapping) else {"version": said}
    if "develop" in entry:
        entry["editable"] = entry["develop"]
    version = entry.get("version", "*")
    found = poetry_specifier(version) if isinstance(version, str) else None
    python = poetry_specifier(entry["python"]) if isinstance(entry.get("python"), str) else ""
    if found is None or python is None:
        raise EnvironmentProblem(
            f"{file}: {name} has a version that pip cannot be told; write it as one range, "
            'like ">=1.2,<3"',
            inputs=(file,),
        )
    entry["version"] = found
    markers = [f"python_full_version {_spaced(each)}" for each in python.split(",") if each]
    entry["markers"] = " and ".join([*markers, *([m] if (m := entry.get("markers")) else [])])
    return dependency_line(name, entry, file.parent)


def _spaced(text: str) -> str:
    sign = re.match(r"[<>=!~]+", text)
    return f'{sign[0]} "{text[len(sign[0]) :]}"' if sign else text


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


PIPENV_LOCK = "Pipfile.lock"
PIPENV_FILES = (PIPENV_LOCK, "Pipfile")
_USUAL = "pypi"
"""The name of the index that whatever is configured stands for."""


def pipenv_requirements(file: Path) -> list[str]:
    """What it installs without `--dev`; raises EnvironmentProblem if it cannot be read."""
    data = _read(file)
    lines = (_pipenv_line(name, said, file) for name, said in _installed(file, data).items())
    return [*_indexes(data), *lines]


def pipenv_names(file: Path, *, development: bool = False) -> list[str]:
    """What it names, for use or for development. Raises EnvironmentProblem."""
    locked = file.name == PIPENV_LOCK
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


def pipenv_python(file: Path) -> str | None:
    """As a specifier. Raises EnvironmentProblem."""
    data = _read(file)
    said = (
        data.get("_meta", {}).get("requires", {})
        if file.name == PIPENV_LOCK
        else data.get("requires")
    )
    version = (said or {}).get("python_full_version") or (said or {}).get("python_version")
    if not isinstance(version, str) or version == "*":
        return None
    return f"=={version}" if version.count(".") > 1 else f"=={version}.*"


def _installed(file: Path, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it installs without `--dev`, by name."""
    table: Mapping[str, Any] = data.get("default" if file.name == PIPENV_LOCK else "packages", {})
    return table


def _indexes(data: Mapping[str, Any]) -> Iterator[str]:
    """Other places than the usual one; that one is as uv and pip are configured."""
    sources = data.get("_meta", {}).get("sources") or data.get("source") or ()
    for source in sources:
        if source.get("name") != _USUAL and source.get("url"):
            yield f"--extra-index-url {source['url']}"


def _pipenv_line(name: str, said: object, file: Path) -> str:
    entry = said if isinstance(said, Mapping) else {"version": said}
    return dependency_line(name, entry, file.parent)


def _read(file: Path) -> Mapping[str, Any]:
    text = read_text(file, "project file of Pipenv")
    try:
        data: Any = json.loads(text) if file.name == PIPENV_LOCK else tomllib.loads(text)
    except ValueError as error:
        raise EnvironmentProblem(f"{file} cannot be parsed: {error}", inputs=(file,)) from None
    if not isinstance(data, Mapping):
        raise EnvironmentProblem(f"{file} holds no table; lock again", inputs=(file,))
    return data
