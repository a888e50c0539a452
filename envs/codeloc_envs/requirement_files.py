"""Which files a requirements file reaches through `-r` and `-c`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.problem import EnvironmentProblem
from codeloc_envs.text_file import read_text

# https://pip.pypa.io/en/stable/reference/requirements-file-format/
_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s+|(?<=-[rc]))(\S.*)$")
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
_LOCAL = re.compile(r"^(?:-e|--editable|\.|/|~)|@\s*(?:file:|\.|/)|(?:^|\s)(?:-f|--find-links)\b")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class RequirementFile:
    """One file of the tree: its text, its logical lines, and what it includes, in order."""

    path: Path
    text: str
    includes: tuple[tuple[int, Path], ...]
    names_local_paths: bool

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
    lines = list(_logical_lines(text))
    return RequirementFile(
        path,
        text,
        tuple(_included(path, lines)),
        any(_LOCAL.search(line) for _, line in lines),
    )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
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
        if found and not _URL.match(found[1]):
            yield number, Path(os.path.normpath(path.parent / found[1].strip()))
