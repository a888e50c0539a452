"""A file of lines that is rotated before it grows too large."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 64 * 1024


class RotatedFile:
    """`path` and its forerunners `path.1`, `path.2` …; each at most `largest` bytes.

    Nothing here raises for want of space or permission: what cannot be written is counted in
    `dropped` (bytes), and the next block is tried again.
    """

    def __init__(self, path: Path, largest: int, files: int) -> None:
        self._paths = [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, files))]
        self._largest = largest
        self._descriptor: int | None = None
        self._size = 0
        self.dropped = 0

    def append(self, block: bytes) -> bool:
        """Write whole lines, all of them or none; whether it worked."""
        try:
            if self._descriptor is not None and not os.fstat(self._descriptor).st_nlink:
                self.close()  # somebody removed the file: begin another one in its place
            if self._size + len(block) > self._largest and self._open():
                self._rotate()
            self._write(self._open(), block)
        except OSError:
            self.dropped += len(block)
            self.close()  # what is in the way may be this file: begin with a fresh look
            return False
        return True

    def tail(self, lines: int) -> list[bytes]:
        """The last lines of all the files, oldest first."""
        found: list[bytes] = []
        for path in self._paths:
            if len(found) >= lines:
                break
            found[:0] = _last_lines(path, lines - len(found))
        return found

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._size = 0

    def _open(self) -> int:
        if self._descriptor is None:
            self._paths[0].parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._paths[0], flags, 0o600)
            self._size = os.fstat(self._descriptor).st_size
            self._mend(self._descriptor)
        return self._descriptor

    def _mend(self, descriptor: int) -> None:
        """End the line that a power cut left without an end."""
        if self._size and os.pread(descriptor, 1, self._size - 1) != b"\n":
            self._size += os.write(descriptor, b"\n")

    def _rotate(self) -> None:
        self.close()
        for newer, older in reversed(list(zip(self._paths, self._paths[1:], strict=False))):
            if newer.exists():
                newer.replace(older)
        if len(self._paths) == 1:
            self._paths[0].unlink()

    def _write(self, descriptor: int, block: bytes) -> None:
        written = 0
        try:
            while written < len(block):
                written += os.write(descriptor, block[written:])
        except OSError:
            os.ftruncate(descriptor, self._size)  # the disk is full in the middle of a line
            raise
        self._size += written


def _last_lines(path: Path, lines: int) -> list[bytes]:
    """The last lines of one file; nothing where there is none to read."""
    tail = b""
    try:
        for chunk in _chunks_backwards(path):
            tail = chunk + tail
            if tail.count(b"\n") > lines:
                break
    except OSError:
        return []
    return tail.split(b"\n")[:-1][-lines:]


def _chunks_backwards(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - _CHUNK)
            file.seek(begin)
            yield file.read(end - begin)
            end = begin
