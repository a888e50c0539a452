"""Matches globs, and knows the files and folders that never count, such as caches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION_CONTROL = {".git", ".hg", ".svn", ".bzr", ".jj", "CVS"}
_CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cache"}
_MADE_BY_LOADS = {".local_defs_state"}  # by components of Dagster, which keep their state there
_ENVIRONMENTS = {".venv", "venv", "site-packages", "node_modules", ".tox", ".nox", ".eggs", ".pixi"}

NEVER = frozenset(_VERSION_CONTROL | _CACHES | _MADE_BY_LOADS | _ENVIRONMENTS)
"""Names of folders of version control, caches and environments."""

ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})
"""A folder that holds one of these is an environment, whatever its name."""

_LEFTOVER = re.compile(
    r"""  \.\#.* | \#.*\# | .*~        # emacs: lock, autosave, backup
        | \..*\.sw[a-z] | 4913       # vim: swap file, probe
        | .*___jb_(tmp|old)___       # PyCharm: safe write
        | .*\.py[co]""",
    re.VERBOSE | re.DOTALL,
)
_MAGIC = re.compile(r"[*?\[]")
_PARTS = re.compile(r"\*+|\?|\[!?[^\]]+\]|\[|[^*?\[]+")


def is_leftover(name: str) -> bool:
    """Whether a file of this name is an editor's or interpreter's own."""
    return _LEFTOVER.fullmatch(name) is not None


def is_module(name: str) -> bool:
    """Whether an import statement could reach a file of this name."""
    return name.endswith(".py") and name[:-3].isidentifier()


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder, what counts in it, and whether its sub-folders belong to it."""

    folder: str
    accepts: re.Pattern[str]
    recursive: bool

    def matches(self, path: str) -> bool:
        """`path` is absolute and below `folder`."""
        below = path.removeprefix(self.folder.rstrip("/") + "/")
        return self.accepts.fullmatch(below) is not None


def trees(base: str, globs: Iterable[str]) -> tuple[Tree, ...]:
    """One for each glob, as deep as its fixed part allows; a folder's name means all in it."""
    return tuple(tree for glob in globs for tree in _trees_of(base, glob))


def _trees_of(base: str, glob: str) -> Iterable[Tree]:
    if glob.endswith("/"):
        glob += "**"
    segments = glob.split("/")
    fixed = 0
    while fixed < len(segments) - 1 and not _MAGIC.search(segments[fixed]):
        fixed += 1
    folder = os.path.normpath(os.path.join(base, "/".join(segments[:fixed]) or _start(glob)))
    rest = segments[fixed:]
    yield Tree(folder, re.compile(_expression(rest), re.DOTALL), len(rest) > 1 or rest == ["**"])
    if len(rest) == 1 and not _MAGIC.search(rest[0]):
        yield Tree(
            os.path.normpath(os.path.join(folder, rest[0])), re.compile(".+", re.DOTALL), True
        )


def _start(glob: str) -> str:
    return "/" if glob.startswith("/") else ""


class Ignored:
    """What the `ignore` globs of a location leave out, whole folders included."""

    def __init__(self, base: str, globs: Iterable[str]) -> None:
        self._base = base.rstrip("/") + "/"
        bodies = [_expression(_relative(base, glob).split("/")) for glob in globs]
        self._rule = re.compile("|".join(f"(?:{body})(?:/.*)?" for body in bodies), re.DOTALL)
        self._idle = not bodies

    def file(self, path: str) -> bool:
        return not self._idle and self._rule.fullmatch(self._below(path)) is not None

    def folder(self, path: str) -> bool:
        return self.file(path + "/")

    def rest(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these files that are not left out."""
        return frozenset(paths if self._idle else (p for p in paths if not self.file(p)))

    def _below(self, path: str) -> str:
        if path.startswith(self._base):
            return path[len(self._base) :]
        return os.path.relpath(path, self._base) + ("/" if path.endswith("/") else "")


def _relative(base: str, glob: str) -> str:
    path = os.path.relpath(os.path.join(base, glob), base)
    return path + "/**" if glob.endswith("/") else path


def _expression(segments: list[str]) -> str:
    """`**` stands for any number of folders, at the end for everything below."""
    folders = ["(?:[^/]+/)*" if s == "**" else _segment(s) + "/" for s in segments[:-1]]
    return "".join(folders) + (".*" if segments[-1] == "**" else _segment(segments[-1]))


def _segment(segment: str) -> str:
    return "".join(_part(part.group()) for part in _PARTS.finditer(segment))


def _part(text: str) -> str:
    if text[0] == "*":
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if text[0] == "[" and len(text) > 1:
        return _choice(text) or re.escape(text)
    return re.escape(text)


def _choice(text: str) -> str | None:
    body = re.sub(r"[^\w-]", lambda other: re.escape(other.group()), text[1:-1].lstrip("!"))
    try:
        return re.compile(f"[{'^/' if text[1] == '!' else ''}{body}]").pattern
    except re.error:  # a range that runs backwards
        return None
