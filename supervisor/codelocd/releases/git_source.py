"""The files of a git commit, read as git stores them, to be copied into a release.

Only plumbing that reads objects is run (`rev-parse`, `ls-tree`, `cat-file`), as the user who asks:
no hook, no filter and no attribute of the repository is carried out. So it is the same on each
machine, and a file of Git LFS is its pointer.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from codelocd.releases.folder_source import BLOCK, IgnoredPaths
from codelocd.releases.manifest import SizeCount, TreeEntry, TreeManifest, UnfitTree, content_digest

GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")
LINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"
"""Modes of entries; https://git-scm.com/docs/git-fast-import has them all."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class GitSource:
    """What `folder` holds in the commit that `ref` names. Not one file of the folder is read.

    `commit` is its full name. `pointers`: how many files are pointers of Git LFS.
    """

    def __init__(self, folder: Path, ref: str, ignored: IgnoredPaths) -> None:
        """Raises UnfitTree."""
        self._folder = folder
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        self.commit = self._said(words, f"{folder} has no commit {ref!r}").decode().strip()
        listed = self._said(("ls-tree", "-r", "-z", "-l", self.commit), f"{ref} cannot be listed")
        self._objects: dict[str, str] = {}
        self.pointers = 0
        self.manifest = TreeManifest(self._entries(listed, ref, ignored))

    def contents(self, digests: Iterable[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        wanted = list(digests)
        read = self._read([self._objects[digest] for digest in wanted])
        for digest, (_, blocks) in zip(wanted, read, strict=True):
            yield digest, blocks

    def _entries(self, listed: bytes, ref: str, ignored: IgnoredPaths) -> list[TreeEntry]:
        found: list[tuple[str, str, str]] = []
        counted = SizeCount()
        for line in filter(None, listed.split(b"\0")):
            about, _, name = line.partition(b"\t")
            mode, _, object_, size = about.decode().split()
            path = os.fsdecode(name)
            if ignored.anywhere(path):
                continue
            if mode == SUBMODULE:
                raise UnfitTree(
                    f"{path} is a submodule, whose files are not in {ref}; check it out and name "
                    "the folder with --source instead"
                )
            found.append((path, mode, object_))
            counted.add(path, int(size))
        if not found:
            raise UnfitTree(f"{ref} has no files in {self._folder}")
        read = self._read([object_ for _, _, object_ in found])
        return [
            self._entry(path, mode, object_, blocks)
            for (path, mode, object_), (_, blocks) in zip(found, read, strict=True)
        ]

    def _entry(self, path: str, mode: str, object_: str, blocks: Iterator[bytes]) -> TreeEntry:
        if mode == LINK:
            return TreeEntry(path, link=os.fsdecode(b"".join(blocks)))
        digest, size, first = content_digest(), 0, b""
        for block in blocks:
            first = first or block[: len(LFS_POINTER)]
            digest.update(block)
            size += len(block)
        self.pointers += first == LFS_POINTER
        self._objects[digest.hexdigest()] = object_
        return TreeEntry(path, digest.hexdigest(), size, mode == EXECUTABLE)

    def _read(self, objects: list[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Each object with its content in pieces, all of which have to be taken."""
        with _git(("cat-file", "--batch"), self._folder) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for object_ in objects:
                process.stdin.write(f"{object_}\n".encode())
                process.stdin.flush()
                head = process.stdout.readline().split()
                if len(head) != 3:
                    raise UnfitTree(f"git has no object {object_} in {self._folder}; fetch it")
                yield object_, _blocks(process.stdout, int(head[2]))
            process.stdin.close()

    def _said(self, words: tuple[str, ...], failure: str) -> bytes:
        with _git(words, self._folder) as process:
            out, errors = process.communicate()
        if process.returncode:
            said = errors.decode(errors="replace").strip().partition("\n")[0]
            if "dubious ownership" in said:
                top = said.partition("'")[2].rstrip("'") or self._folder
                raise UnfitTree(
                    f"git reads nothing in {top}, which another user owns; give the command as "
                    f"that user, or trust it: git config --global --add safe.directory {top}"
                )
            raise UnfitTree(f"{failure}{f': {said}' if said else '; `git log` lists commits'}")
        return out


def _git(words: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    environ = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.Popen(
            [*GIT, *words],
            cwd=folder,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if words[0] != "cat-file" else None,
        )
    except FileNotFoundError as error:
        if error.filename == "git":
            raise UnfitTree("git is not installed; install it, or use --source alone") from None
        raise UnfitTree(f"{folder} is no folder") from None


def _blocks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """So many bytes, and the line end after them."""
    while size:
        block = stream.read(min(size, BLOCK))
        if not block:
            raise UnfitTree("git ended before it had said all; `git fsck` says what is wrong")
        size -= len(block)
        yield block
    stream.read(1)
