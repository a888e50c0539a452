"""What code is, as content: which files belong to it, and their digests."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

from codeloc_ray.errors import EngineError
from codeloc_ray.node.store import DIGEST_BYTES

SETTLED = 2.0
"""Seconds after which a file's time and size tell whether its content is still the same."""
MEGABYTE = 1024 * 1024


class Leaves(Protocol):
    """Which files and folders are left out; `environment`: by the names in a folder, whether it is
    an environment."""

    def environment(self, names: Sequence[str]) -> bool: ...

    def file(self, path: str) -> bool: ...

    def folder(self, path: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Manifest:
    """A tree: `files` by absolute path, `[digest, mode]`, or `[None, target]` of a link.

    `origins`: where each content is on this machine. `name` is the digest of all of it. A `lasting`
    one stays on the node; of code, the newest does.
    """

    name: str
    files: dict[str, list[Any]]
    origins: dict[str, str] = field(repr=False)
    lasting: bool = False

    @classmethod
    def of(
        cls, files: dict[str, list[Any]], origins: dict[str, str], *, lasting: bool = False
    ) -> Manifest:
        text = json.dumps(sorted(files.items())).encode()
        name = hashlib.blake2b(text, digest_size=DIGEST_BYTES).hexdigest()
        return cls(name, files, origins, lasting)


class FileDigests:
    """Makes manifests. Remembers digests of files that have not changed since."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def manifest(
        self,
        folders: Sequence[str],
        files: Iterable[str],
        leaves: Leaves,
        limit: int,
    ) -> Manifest:
        """Of the folders but for what `leaves` leaves out, and of `files` besides. Blocks. Raises
        EngineError where it is larger than `limit` bytes."""
        found: dict[str, list[Any]] = {}
        origins: dict[str, str] = {}
        total, largest = 0, ("", 0)
        below = (path for folder in folders for path in _below(folder, leaves))
        for path in chain(below, files):
            entry = self._entry(path) if path not in found else None
            if entry is None:
                continue
            content, detail, size = entry
            found[path] = [content, detail]
            if content is not None:
                origins[content] = path
            total += size
            if size > largest[1]:
                largest = (path, size)
            if total > limit:
                raise _too_large(folders, limit, largest)
        return Manifest.of(found, origins)

    def _entry(self, path: str) -> tuple[str | None, Any, int] | None:
        """`(digest, mode, size)`, or what a link to a folder says; None where there is no file."""
        try:
            status = os.stat(path)
            if stat.S_ISDIR(status.st_mode):
                return (None, os.readlink(path), 0) if os.path.islink(path) else None
            if not stat.S_ISREG(status.st_mode):
                return None
            return self._digest(path, status), stat.S_IMODE(status.st_mode), status.st_size
        except OSError:
            return None

    def _digest(self, path: str, status: os.stat_result) -> str:
        mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        known = self._known.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        with open(path, "rb") as file:
            while piece := file.read(MEGABYTE):
                digest.update(piece)
        if time.time() - status.st_mtime > SETTLED:
            self._known[path] = (mark, digest.hexdigest())
        return digest.hexdigest()


def _below(folder: str, leaves: Leaves) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        if where != folder and leaves.environment((*folders, *names)):
            folders.clear()
            continue
        kept = [each for each in sorted(folders) if not leaves.folder(os.path.join(where, each))]
        folders[:] = [each for each in kept if not os.path.islink(os.path.join(where, each))]
        links = [each for each in kept if each not in folders]
        for name in (*links, *sorted(names)):
            path = os.path.join(where, name)
            if not leaves.file(path):
                yield path


def _too_large(folders: Sequence[str], limit: int, largest: tuple[str, int]) -> EngineError:
    path, size = largest
    return EngineError(
        "limit",
        f"the code in {', '.join(folders)} is larger than {limit / MEGABYTE:.4g} MiB, the most that"
        f" is sent to a node; the largest file so far is {path} with {size / MEGABYTE:.1f} MiB:"
        ' leave it out with `ignore`, or set source = "shared" where nodes see the same folders',
        "sources",
    )
