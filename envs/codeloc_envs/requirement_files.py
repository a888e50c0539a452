"""Which files a requirements file reaches through `-r` and `-c`."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.text_file import read_text

# https://pip.pypa.io/en/stable/reference/requirements-file-format/
_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s+|(?<=-[rc]))(\S.*)$")
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
_LOCAL = re.compile(r"^(?:-e|--editable|\.|/|~)|@\s*(?:file:|\.|/)|(?:^|\s)(?:-f|--find-links)\b")
_LOCAL_PATH = re.compile(r"(?:(?:-e|--editable)[\s=]*|[^\s;]*\s*@\s*(?=file:))?([./~]\S*|file:\S*)")
_EXTRAS = re.compile(r"\[[^]]*\]$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class RequirementFile:
    """One file of the tree: its text, its logical lines, and what it includes, in order."""

    path: Path
    text: str
    includes: tuple[tuple[int, Path], ...]
    names_local_paths: bool

    @property
    def local_paths(self) -> Iterator[Path]:
        """The folders and files that it installs from; paths start at its folder, as with uv."""
        for _, line in logical_lines(self.text):
            found = _LOCAL_PATH.match(line)
            path = (
                _path_of(_EXTRAS.sub("", _written(found[1])), self.path.parent) if found else None
            )
            if path is not None:
                yield path

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that it is expanded with."""
        return tuple(sorted(set(_VARIABLE.findall(self.text))))


def reached(files: Iterable[Path]) -> tuple[RequirementFile, ...]:
    """`files` and all that they include, each once, in the order of reading.

    Raises EnvironmentProblem for a missing or unreadable file, with the way that led to it,
    and for files that include each other.
    """
    found: dict[Path, RequirementFile] = {}
    for file in files:
        _visit(file, (), "", found)
    return tuple(found.values())


def reached_where_there(files: Iterable[Path]) -> Iterator[Path]:
    """The paths of `files` and of all that they include, as far as they can be read."""
    waiting, seen = list(files), set[Path]()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield path
        with contextlib.suppress(EnvironmentProblem):
            waiting += [included for _, included in _read(path, (), "").includes]


def named_files(value: str, folder: Path) -> Iterator[Path]:
    """The files that a setting of an installer names, divided by white space; URLs left out."""
    yield from filter(None, (_path_of(word, folder) for word in value.split()))


def _path_of(text: str, folder: Path) -> Path | None:
    """Where a path or a `file:` URL leads from `folder`; None for what lies elsewhere."""
    if text.startswith("file:"):
        return Path(os.path.normpath(unquote(urlsplit(text).path)))
    return None if _URL.match(text) else Path(os.path.normpath(folder / text))


def _visit(
    path: Path, above: tuple[Path, ...], context: str, found: dict[Path, RequirementFile]
) -> None:
    if path in above:
        ring = " -> ".join(str(each) for each in (*above[above.index(path) :], path))
        raise EnvironmentProblem(
            f"requirements files include each other: {ring}; take one of these lines out",
            inputs=above,
        )
    if path in found:
        return
    file = _read(path, above, context)
    found[path] = file
    for line, included in file.includes:
        way = f"included by {path}, line {line}" + (f"; {context}" if context else "")
        _visit(included, (*above, path), way, found)


def _read(path: Path, above: tuple[Path, ...], context: str) -> RequirementFile:
    try:
        text = read_text(path, "requirements file", context)
    except EnvironmentProblem as problem:
        problem.inputs += above
        raise
    lines = list(logical_lines(text))
    return RequirementFile(
        path,
        text,
        tuple(_included(path, lines)),
        any(_LOCAL.search(line) for _, line in lines),
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments, continued ones joined."""
    number = 1
    for line in re.split(r"(?<!\\)\n", text.replace("\r\n", "\n")):
        bare = _COMMENT.sub("", _CONTINUED.sub("", line)).strip()
        if bare:
            yield number, bare
        number += line.count("\n") + 1


def _included(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Path]]:
    for number, line in lines:
        found = _INCLUDE.match(line)
        included = _path_of(_written(found[1]), path.parent) if found else None
        if included is not None:
            yield number, included


def _written(value: str) -> str:
    """The path as it is meant: without quotes, `${NAME}` replaced, as pip and uv do."""
    expanded = _VARIABLE.sub(lambda name: os.environ.get(name[1]) or name[0], value.strip())
    quote = expanded[:1]
    if quote in ('"', "'") and expanded.endswith(quote) and len(expanded) > 1:
        return expanded[1:-1]
    return expanded.replace("\\ ", " ")
