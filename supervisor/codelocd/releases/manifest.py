"""A tree of files as a list of what each path holds, and the name that this gives it. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import takewhile
from typing import Any

VERSION = 1
"""Of the encoding, which the name of a tree depends on."""

MOST_FILES = 50_000
MOST_BYTES = 1024 * 1024 * 1024
LONGEST_PATH, LONGEST_NAME = 4000, 255
"""Bytes; PATH_MAX is 4096 with the folder above the tree, NAME_MAX 255 (limits.h of Linux)."""

CONTENT_BYTES, ID_BYTES = 32, 16
"""Of the digests of contents and of trees, in which they are compared."""


class UnfitTree(Exception):
    """A tree that cannot become a release: `str()` is one line that says what and what to do."""


@dataclass(frozen=True, slots=True, order=True)
class TreeEntry:
    """One file, or one link where `link` is set: where that leads.

    `path` is relative to the tree's root, with `/`. `digest` names the content, `size` is in bytes;
    of the mode only `executable` counts, as in git.
    """

    path: str
    digest: str = ""
    size: int = 0
    executable: bool = False
    link: str | None = None


class TreeManifest:
    """All entries of a tree. Folders are those that the paths name: empty ones do not count, so
    that a folder and a commit of the same files are the same tree."""

    def __init__(self, entries: Iterable[TreeEntry]) -> None:
        """Raises UnfitTree."""
        self.entries = tuple(sorted(entries))
        _check(self.entries)

    @cached_property
    def encoded(self) -> bytes:
        """The same bytes for the same tree."""
        files = [[e.path, e.digest, e.size, e.executable] for e in self.entries if e.link is None]
        links = [[e.path, e.link] for e in self.entries if e.link is not None]
        document = {"version": VERSION, "files": files, "links": links}
        return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()

    @cached_property
    def id(self) -> str:
        """The name of the tree: 32 hexadecimal digits."""
        return blake2b(self.encoded, digest_size=ID_BYTES).hexdigest()

    @classmethod
    def decoded(cls, data: bytes) -> TreeManifest:
        """Raises UnfitTree for anything but what `encoded` gives."""
        try:
            document = json.loads(data)
            if document["version"] != VERSION:
                raise UnfitTree(f"version {document['version']} of manifests is not known here")
            files = [_file(*each) for each in document["files"]]
            return cls([*files, *(_link(*each) for each in document["links"])])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UnfitTree("the list of files has another shape than this version knows") from None

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each content, by digest."""
        return {entry.digest: entry.size for entry in self.entries if entry.link is None}

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(entry.size for entry in self.entries)

    def has(self, path: str) -> bool:
        """Whether there is such a file, link or folder; "." is the root."""
        below = f"{path}/"
        return path == "." or any(
            entry.path == path or entry.path.startswith(below) for entry in self.entries
        )


@dataclass(frozen=True, slots=True)
class TreeChanges:
    """Paths that came, hold something else, and went."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def changes(former: TreeManifest | None, new: TreeManifest) -> TreeChanges:
    """What differs between two trees; None is an empty one."""
    before = {entry.path: entry for entry in former.entries} if former is not None else {}
    after = {entry.path: entry for entry in new.entries}
    return TreeChanges(
        tuple(path for path in after if path not in before),
        tuple(path for path in after if path in before and before[path] != after[path]),
        tuple(path for path in before if path not in after),
    )


def content_digest() -> Any:
    """A new hash of a file's content."""
    return blake2b(digest_size=CONTENT_BYTES)


class SizeCount:
    """Adds up files, and refuses those beyond what a release may have."""

    def __init__(self) -> None:
        self._added: list[tuple[str, int]] = []
        self._total = 0

    def add(self, path: str, size: int) -> None:
        """Raises UnfitTree that names where the most is."""
        self._added.append((path, size))
        self._total += size
        if self._total > MOST_BYTES:
            largest, weight = _where_most_is(self._added)
            raise _too_large(f"{MOST_BYTES >> 20} MiB", f"{weight >> 20} MiB", largest)
        if len(self._added) > MOST_FILES:
            largest, weight = _where_most_is([(each, 1) for each, _ in self._added])
            raise _too_large(f"{MOST_FILES} files", f"{weight}", largest)


def _where_most_is(added: Iterable[tuple[str, int]]) -> tuple[str, int]:
    """The file, or the innermost folder, with half of the weight or more, and how much that is;
    else the heaviest. Code may lie beside a large file, which alone is to be named then."""
    weights: Counter[str] = Counter()
    for path, weight in added:
        for place in (*_above(path), path):
            weights[place] += weight
    least = sum(weight for _, weight in added) / 2
    heavy = [place for place, weight in weights.items() if weight >= least]
    if not heavy:
        return weights.most_common(1)[0]
    found = max(heavy, key=lambda place: (place.count("/"), weights[place]))
    return found, weights[found]


def _too_large(most: str, part: str, place: str) -> UnfitTree:
    return UnfitTree(
        f"the tree has more than {most}, the most of a release; {part} of them are in {place}: "
        "leave it out with the location's ignore, whose globs count from its working_directory, "
        "or name a smaller folder"
    )


def _file(path: str, digest: str, size: int, executable: bool) -> TreeEntry:
    fits = type(size) is int and size >= 0 and type(executable) is bool
    if not fits or len(digest) != 2 * CONTENT_BYTES or set(digest) - set("0123456789abcdef"):
        raise ValueError
    return TreeEntry(path, digest, size, executable)


def _link(path: str, target: str) -> TreeEntry:
    if type(target) is not str:
        raise ValueError
    return TreeEntry(path, link=target)


# --- what a tree must not hold -----------------------------------------------------------------


def _check(entries: tuple[TreeEntry, ...]) -> None:
    """Every path stays in the tree, and no entry is in the way of another."""
    paths = {entry.path for entry in entries}
    if len(paths) < len(entries):
        raise UnfitTree("a path is there twice")
    counted = SizeCount()
    for entry in entries:
        check_path(entry.path)
        counted.add(entry.path, entry.size)
        for above in _above(entry.path):
            if above in paths:
                raise UnfitTree(f"{entry.path} is below {above}, which is no folder")
        if entry.link is not None:
            check_link(entry.path, entry.link)


def check_path(path: str) -> None:
    """Raises UnfitTree unless it is a plain relative path."""
    parts = path.split("/") if isinstance(path, str) else [""]
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise UnfitTree(f"{path!r} is no path within a tree")
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise UnfitTree(f"{path!a} is no name in UTF-8; rename the file") from None
    if len(encoded) > LONGEST_PATH or max(map(len, encoded.split(b"/"))) > LONGEST_NAME:
        raise UnfitTree(f"{path} is too long for a path within a release")


def check_link(path: str, target: str) -> None:
    """Raises UnfitTree where a link may lead out of the tree.

    A `..` counts at the beginning alone: after a name that is a link itself it would lead elsewhere
    than it seems to.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = len(list(takewhile(lambda part: part == "..", parts)))
    leaves = target.startswith("/") or ".." in parts[ups:] or ups > path.count("/")
    if leaves or not target or "\0" in target:
        raise UnfitTree(
            f"the link {path} leads to {target!r}, which may be outside the tree and would not be "
            "part of the release; replace it by what it leads to, or ignore it"
        )
    try:
        target.encode()
    except UnicodeEncodeError:
        raise UnfitTree(f"the link {path} leads to a name that is not UTF-8") from None


def _above(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
