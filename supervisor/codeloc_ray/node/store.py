"""What a node keeps: contents by digest, and trees of files that are made of them.

A tree is complete as soon as it has its name, and is never changed: the next version stands
beside it. Other hosts on the node use the same store at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DIGEST_BYTES = 16


def digest(data: bytes) -> str:
    """Of a file's content."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


class NodeStore:
    """The folders below `root`."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        for name in ("blobs", "trees", "locks", "alive", "serving"):
            os.makedirs(os.path.join(self.root, name), mode=0o700, exist_ok=True)

    def path(self, *names: str) -> str:
        return os.path.join(self.root, *names)

    # --- contents ------------------------------------------------------------------------------

    def missing(self, digests: Sequence[str]) -> list[str]:
        """Those that have to be sent."""
        return [each for each in digests if not os.path.exists(self._blob(each))]

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
        return os.path.isdir(self.path("trees", name))

    def tree(self, name: str, files: Mapping[str, Sequence[Any]]) -> str:
        """The folder that holds `files`: by relative path, `[digest, mode]`, or `[None, target]`
        of a link. Raises FileNotFoundError for a content that was not sent."""
        folder = self.path("trees", name)
        if os.path.isdir(folder):
            os.utime(folder)
            return folder
        draft = tempfile.mkdtemp(prefix=".draft-", dir=self.path("trees"))
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

    # --- locks ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Alone on this node, for as long as it takes. Blocks."""
        descriptor = os.open(self.path("locks", name), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
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
