"""What a node keeps: contents by digest, and trees of files that are made of them.

A tree is complete as soon as it has its name, and is never changed: the next version stands
beside it. Other hosts on the node use the same store at the same time. A host holds a lock of each
tree that it uses; those of code that none holds are removed soon.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

DIGEST_BYTES = 16
UNUSED_TREE, UNUSED_CONTENT, BETWEEN = 60.0, 86400.0, 3600.0
"""Seconds for which a tree of code, and a content, is kept that nothing uses; between two looks at
all contents. What is needed again is sent again."""


def digest(data: bytes) -> str:
    """Of a file's content."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


class NodeStore:
    """The folders below `root`."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self._holding: dict[str, int] = {}
        for name in ("blobs", "trees", "lasting", "locks", "alive", "serving"):
            os.makedirs(os.path.join(self.root, name), mode=0o700, exist_ok=True)

    def path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    # --- contents ------------------------------------------------------------------------------

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Those that have to be sent."""
        lacking = []
        for each in digests:
            try:
                os.utime(self._blob(each))
            except FileNotFoundError:
                lacking.append(each)
        return lacking

    def put(self, name: str, offset: int, data: bytes, last: bool) -> None:
        """A piece of a content; with the last one it is complete. Raises ValueError if what has
        come is not what it is called."""
        draft = self.path("blobs", f".draft-{os.getpid()}-{name}")
        with open(draft, "r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
        if not last:
            return
        with open(draft, "rb") as file:
            found = hashlib.blake2b(digest_size=DIGEST_BYTES)
            while piece := file.read(1024 * 1024):
                found.update(piece)
        if found.hexdigest() != name:
            os.unlink(draft)
            raise ValueError(f"content {name} came as {found.hexdigest()}")
        blob = self._blob(name)
        os.makedirs(os.path.dirname(blob), mode=0o700, exist_ok=True)
        os.chmod(draft, 0o400)
        os.rename(draft, blob)

    def _blob(self, name: str) -> str:
        return self.path("blobs", name[:2], name)

    # --- trees ---------------------------------------------------------------------------------

    def has_tree(self, name: str) -> bool:
        """It is there, and stays for as long as this process lives."""
        self._hold(name)
        return any(os.path.isdir(self.path(kind, name)) for kind in ("trees", "lasting"))

    def tree(self, name: str, files: Mapping[str, Sequence[Any]], lasting: bool) -> str:
        """The folder that holds `files`: by relative path, `[digest, mode]`, or `[None, target]`
        of a link. A `lasting` one stays. Raises FileNotFoundError for a content that was not
        sent."""
        self._hold(name)
        folder = self.path("lasting" if lasting else "trees", name)
        if os.path.isdir(folder):
            os.utime(folder)
            return folder
        draft = tempfile.mkdtemp(prefix=".draft-", dir=os.path.dirname(folder))
        try:
            for path, (content, detail) in files.items():
                self._place(os.path.join(draft, path.lstrip("/")), content, detail)
            with open(os.path.join(draft, ".codelocd-tree"), "w") as file:
                json.dump({path: list(each) for path, each in files.items()}, file)
            with contextlib.suppress(OSError):  # another host was first
                os.rename(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder

    def _place(self, path: str, content: str | None, detail: Any) -> None:
        """A copy, not a link: what user code writes to its files is not written to others'."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if content is None:
            os.symlink(detail, path)
            return
        shutil.copyfile(self._blob(content), path)
        os.chmod(path, detail | 0o600)

    # --- what is not used ----------------------------------------------------------------------

    def _hold(self, name: str) -> None:
        while name not in self._holding:
            descriptor = self._lock(name)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if os.fstat(descriptor).st_nlink:
                self._holding[name] = descriptor
            else:  # it was removed with its tree
                os.close(descriptor)

    def _lock(self, name: str) -> int:
        return os.open(self.path("locks", name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def prune(self) -> bool:
        """Remove trees of code that no host holds, and, now and then, old contents: whether that
        was now. Blocks."""
        now = time.time()
        for entry in os.scandir(self.path("trees")):
            with contextlib.suppress(OSError):
                if now - entry.stat().st_mtime > UNUSED_TREE:
                    self._remove(entry.name)
        mark = self.path("locks", ".pruned")
        if os.path.exists(mark) and now - os.stat(mark).st_mtime < BETWEEN:
            return False
        with open(mark, "w"):
            os.utime(mark)
        for folder, _, names in os.walk(self.path("blobs")):
            for path in (os.path.join(folder, each) for each in names):
                with contextlib.suppress(OSError):
                    if now - os.stat(path).st_mtime > UNUSED_CONTENT:
                        os.unlink(path)
        return True

    def _remove(self, name: str) -> None:
        tree = self.path("trees", name)
        if name.startswith("."):  # a draft whose host was killed
            shutil.rmtree(tree, ignore_errors=True)
            return
        descriptor = self._lock(name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = self.path("trees", f".gone-{os.getpid()}-{name}")
            os.rename(tree, gone)
            os.unlink(self.path("locks", name))
            shutil.rmtree(gone, ignore_errors=True)
        finally:
            os.close(descriptor)


def is_alive(store: str, name: str) -> bool:
    """Whether a host, or the runner that it has started, has the lock of that name."""
    try:
        descriptor = os.open(os.path.join(store, "alive", name), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
