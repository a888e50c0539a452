"""`[tool.poetry]` in the words that pip and uv know.

https://python-poetry.org/docs/dependency-specification/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codeloc_envs.dependency_table import line
from codeloc_envs.problem import EnvironmentProblem

_PART = re.compile(r"(\^|~=|~|===?|!=|<=|>=|<|>)?\s*([0-9][\w.*+!-]*)")


def requires_python(table: Mapping[str, Any]) -> str | None:
    """As a specifier of PEP 440; None where none is said, or where it is several ranges."""
    said = _table(table, "dependencies").get("python")
    found = specifier(said) if isinstance(said, str) else None
    return found or None


def requirements(
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
            lines.append(_line(name, each, file))
    return lines


def specifier(said: str) -> str | None:
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


def _line(name: str, said: object, file: Path) -> str:
    entry: dict[str, Any] = dict(said) if isinstance(said, Mapping) else {"version": said}
    if "develop" in entry:
        entry["editable"] = entry["develop"]
    version = entry.get("version", "*")
    found = specifier(version) if isinstance(version, str) else None
    python = specifier(entry["python"]) if isinstance(entry.get("python"), str) else ""
    if found is None or python is None:
        raise EnvironmentProblem(
            f"{file}: {name} has a version that pip cannot be told; write it as one range, "
            'like ">=1.2,<3"',
            inputs=(file,),
        )
    entry["version"] = found
    markers = [f"python_full_version {_spaced(each)}" for each in python.split(",") if each]
    entry["markers"] = " and ".join([*markers, *([m] if (m := entry.get("markers")) else [])])
    return line(name, entry, file.parent)


def _spaced(text: str) -> str:
    sign = re.match(r"[<>=!~]+", text)
    return f'{sign[0]} "{text[len(sign[0]) :]}"' if sign else text


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}
