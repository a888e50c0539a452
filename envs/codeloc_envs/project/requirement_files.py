"""Finds the files that a requirements file includes through `-r` and `-c`."""

from __future__ import annotations

import codecs
import locale
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from codeloc_envs.files import read_needed, seen_text
from codeloc_envs.problem import EnvironmentProblem

# https://pip.pypa.io/en/stable/reference/requirements-file-format/
_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|-c|--requirements?|--constraints?)(?:\s*=\s*|\s+|(?<=-[rc]))(\S.*)$")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Those of UTF-32 first: one of them begins like one of UTF-16."""
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")
_LOCAL = re.compile(r"^(?:-e|--editable|\.|/|~)|@\s*(?:file:|\.|/)|(?:^|\s)(?:-f|--find-links)\b")
_LOCAL_PATH = re.compile(r"(?:(?:-e|--editable)[\s=]*|[^\s;]*\s*@\s*(?=file:))?([./~]\S*|file:\S*)")
_EXTRAS = re.compile(r"\[[^]]*\]$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class RequirementFile:
    """One file of the tree: its text, its coding, and what it includes, in order."""

    path: Path
    text: str
    coding: str
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
    found = []
    for _, file in walked(files):
        if isinstance(file, EnvironmentProblem):
            raise file
        found.append(file)
    return tuple(found)


def reached_where_there(files: Iterable[Path]) -> Iterator[Path]:
    """The paths of `files` and of all that they include, as far as they can be read."""
    return iter(dict.fromkeys(path for path, _ in walked(files)))


def walked(files: Iterable[Path]) -> Iterator[tuple[Path, RequirementFile | EnvironmentProblem]]:
    """Each path that is come by, with the file there, or with why it cannot be read.

    In the order of reading: a file, what it includes, the next file. Each once, but for files
    that include each other: the path that closes the ring comes again, with a problem.
    """
    waiting: list[tuple[Path, tuple[Path, ...], str]] = [(file, (), "") for file in files]
    seen = set[Path]()
    while waiting:
        path, above, context = waiting.pop(0)
        if path in above:
            yield path, _ring(path, above)
        elif path not in seen:
            seen.add(path)
            try:
                file = _read(path, above, context)
            except EnvironmentProblem as problem:
                yield path, problem
                continue
            yield path, file
            ways = f"; {context}" if context else ""
            waiting[:0] = [
                (included, (*above, path), f"included by {path}, line {line}{ways}")
                for line, included in file.includes
            ]


def named_files(value: str, folder: Path) -> Iterator[Path]:
    """The files that a setting of an installer names, divided by white space; URLs left out."""
    yield from filter(None, (_path_of(word, folder) for word in value.split()))


def _path_of(text: str, folder: Path) -> Path | None:
    """Where a path or a `file:` URL leads from `folder`; None for what lies elsewhere."""
    if text.startswith("file:"):
        return Path(os.path.normpath(unquote(urlsplit(text).path)))
    return None if _URL.match(text) else Path(os.path.normpath(folder / text))


def check_for_uv(files: Iterable[Path]) -> None:
    """uv knows UTF-8 and, by its mark, UTF-16. Raises EnvironmentProblem for what pip alone reads.

    A coding comment means nothing to it, and need not where all is ASCII.
    """
    for file in reached(files):
        if file.coding.startswith("utf-32") or not (
            file.coding.startswith("utf-16") or seen_text(file.path) is not None
        ):
            raise EnvironmentProblem(
                f"requirements file {file.path} is no UTF-8 text (its coding: {file.coding}), "
                'which uv needs; save it as UTF-8, or set installer = "pip"',
                inputs=(file.path,),
            )


def _ring(path: Path, above: tuple[Path, ...]) -> EnvironmentProblem:
    ring = " -> ".join(str(each) for each in (*above[above.index(path) :], path))
    return EnvironmentProblem(
        f"requirements files include each other: {ring}; take one of these lines out",
        inputs=above,
    )


def _read(path: Path, above: tuple[Path, ...], context: str) -> RequirementFile:
    try:
        text, coding = decoded(read_needed(path, "requirements file", context))
    except EnvironmentProblem as problem:
        problem.inputs += above
        raise
    lines = list(logical_lines(text))
    return RequirementFile(
        path,
        text,
        coding,
        tuple(_included(path, lines)),
        any(_LOCAL.search(line) for _, line in lines),
    )


def decoded(data: bytes) -> tuple[str, str]:
    """The text and its coding, as pip reads it: by its byte order mark, else by a comment in its
    first two lines, else as UTF-8, else as the machine's locale has it. What cannot be decoded is
    no refusal here: the installer says what it makes of it.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), encoding
    for line in data.split(b"\n")[:2]:
        said = _CODING.search(line) if line.startswith(b"#") else None
        if said:
            coding = said[1].decode()
            try:
                return data.decode(coding, "replace"), coding
            except (LookupError, ValueError):
                break
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        coding = locale.getpreferredencoding(False)
        return data.decode(coding, "replace"), "none that it names"


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments, continued ones joined; a comment is not continued."""
    begun, parts = 1, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun if parts else number
        parts.append(line)
        if line.endswith("\\") and not _COMMENT.match(line):
            parts[-1] = line[:-1]
            continue
        if _COMMENT.match(line):
            parts[-1] = f" {line}"
        yield from _bare(begun, parts)
        parts = []
    yield from _bare(begun, parts)


def _bare(number: int, parts: Iterable[str]) -> Iterator[tuple[int, str]]:
    bare = _COMMENT.sub("", "".join(parts)).strip()
    if bare:
        yield number, bare


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
