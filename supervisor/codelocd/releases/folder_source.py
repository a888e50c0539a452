"""The files of a folder, as they were at one moment, to be copied into a release."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codelocd.releases.manifest import (
    SizeCount,
    TreeEntry,
    TreeManifest,
    UnfitTree,
    check_link,
    check_path,
    content_digest,
)
from codelocd.watch.patterns import ENVIRONMENT_MARKS, NEVER, Ignored, is_leftover

BLOCK = 1024 * 1024
"""Bytes that are read at once."""

TRIES = 5
"""Looks at a folder that changes, before its copy is given up."""


class TreeSource(Protocol):
    """What a release is made from."""

    @property
    def manifest(self) -> TreeManifest: ...

    def contents(self, digests: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each of these contents in pieces, in any order; UnfitTree where one is another now."""
        ...


class IgnoredPaths:
    """What is no part of a release: version control, caches, environments, editors' files, and what
    the globs of a location's `ignore` name, seen from the root of the tree."""

    def __init__(self, globs: Iterable[str] = ()) -> None:
        self._own = Ignored("/", globs)

    def file(self, path: str) -> bool:
        return is_leftover(path.rpartition("/")[2]) or self._own.file(f"/{path}")

    def folder(self, path: str) -> bool:
        return path.rpartition("/")[2] in NEVER or self._own.folder(f"/{path}")

    def anywhere(self, path: str) -> bool:
        """Whether the file, or a folder that it is in, is left out."""
        parts = path.split("/")
        folders = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return self.file(path) or parts[-1] in NEVER or any(map(self.folder, folders))


@dataclass(frozen=True, slots=True)
class _SeenEntry:
    """One entry of a folder; `signature` is another once it was written."""

    path: str
    link: str | None
    size: int
    executable: bool
    signature: tuple[int, ...]


class FolderSource:
    """A folder that holds still while it is read, or is read again."""

    def __init__(
        self,
        root: Path,
        ignored: IgnoredPaths,
        looked: Callable[[], None] = lambda: None,
    ) -> None:
        """Read all of it; `looked` is called after each look. Raises UnfitTree, OSError."""
        self._root = os.path.realpath(root)
        self._ignored = ignored
        self._paths: dict[str, str] = {}
        if not os.path.isdir(self._root):
            raise UnfitTree(f"{root} is no folder")
        moving = ""
        for _ in range(TRIES):
            before = self._listing()
            try:
                entries = [self._entry(found) for found in before]
            except FileNotFoundError as error:
                moving = str(error.filename)
                continue
            looked()
            if (moving := _first_difference(before, self._listing())) == "":
                break
        else:
            raise UnfitTree(
                f"{root} changes while it is copied (the last time {moving}); try again once it "
                "rests, or name a commit with --git-ref"
            )
        self.manifest = TreeManifest(entries)
        self._paths = {entry.digest: entry.path for entry in entries if entry.link is None}

    def contents(self, digests: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        for digest in digests:
            yield digest, self._content(self._paths[digest], digest)

    def _content(self, path: str, expected: str) -> Iterator[bytes]:
        digest = content_digest()
        for block in self._blocks(path):
            digest.update(block)
            yield block
        if digest.hexdigest() != expected:
            raise UnfitTree(f"{path} was changed while the tree was copied; try again")

    def _entry(self, found: _SeenEntry) -> TreeEntry:
        if found.link is not None:
            return TreeEntry(found.path, link=found.link)
        digest, size = content_digest(), 0
        for block in self._blocks(found.path):
            digest.update(block)
            size += len(block)
        return TreeEntry(found.path, digest.hexdigest(), size, found.executable)

    def _blocks(self, path: str) -> Iterator[bytes]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(os.path.join(self._root, path), flags)
        with open(descriptor, "rb", buffering=0) as file:
            while block := file.read(BLOCK):
                yield block

    def _listing(self) -> list[_SeenEntry]:
        """All entries, by their paths. Raises UnfitTree for what no release may hold."""
        found: list[_SeenEntry] = []
        waiting, counted = [""], SizeCount()
        while waiting:
            above = waiting.pop()
            with os.scandir(os.path.join(self._root, above)) as entries:
                inside = list(entries)
            if above and ENVIRONMENT_MARKS & {entry.name for entry in inside}:
                continue
            for entry in inside:
                path = f"{above}/{entry.name}" if above else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not self._ignored.folder(path):
                        waiting.append(path)
                elif not (self._ignored.file(path) or entry.name in NEVER):
                    found.append(_found(path, entry))
                    counted.add(path, found[-1].size)
        return sorted(found, key=lambda each: each.path)


def _found(path: str, entry: os.DirEntry[str]) -> _SeenEntry:
    check_path(path)
    status = entry.stat(follow_symlinks=False)
    signature = status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns
    if stat.S_ISLNK(status.st_mode):
        link = os.readlink(entry.path)
        check_link(path, link)
        return _SeenEntry(path, link, 0, executable=False, signature=signature)
    if not stat.S_ISREG(status.st_mode):
        what = "is no file, folder or link, and cannot be part of a release; remove or ignore it"
        raise UnfitTree(f"{path} {what}")
    executable = bool(status.st_mode & stat.S_IXUSR)
    return _SeenEntry(path, None, status.st_size, executable, (*signature, status.st_size))


def _first_difference(before: list[_SeenEntry], after: list[_SeenEntry]) -> str:
    """The path of an entry that changed; "" where none has."""
    differing = set(before) ^ set(after)
    return min((each.path for each in differing), default="")
