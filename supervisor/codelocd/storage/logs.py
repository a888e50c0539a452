"""What runners print: the last lines in memory, more in rotated files, all to followers."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from heapq import merge
from pathlib import Path

from codelocd.model import Output, Stream
from codelocd.storage.log_lines import Block, Line, Splitter, decode, encode
from codelocd.storage.paths import file_name

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


FILE_BYTES = 10 * 1000 * 1000
FILES = 5
RECENT_LINES = 1000
RECENT_BYTES = 512 * 1024
"""What a location keeps in memory, whichever is less; the files have the rest."""


class Logs:
    """Takes what runners print and keeps the last of it, in memory and in `folder`.

    `follow` gets every block of lines as it comes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        follow: Callable[[Block], object] = lambda _block: None,
        clock: Callable[[], float] = time.time,
        file_bytes: int = FILE_BYTES,
        files: int = FILES,
    ) -> None:
        self._folder = folder
        self._follow = follow
        self._clock = clock
        self._file_bytes = file_bytes
        self._files = files
        self._locations: dict[str, _LocationLog] = {}

    def output(self, location: str, generation: int | None) -> Output:
        """Where one runner's output goes: call it with each chunk, and with b"" at the end."""
        splitters: dict[Stream, Splitter] = {"stdout": Splitter(), "stderr": Splitter()}

        def take(stream: Stream, data: bytes) -> None:
            splitter = splitters[stream]
            texts = splitter.feed(data) if data else splitter.close()
            if texts:
                at = round(self._clock(), 3)
                self._keep(Block(at, location, stream, texts, generation))

        return take

    def lines(self, locations: Collection[str], n: int) -> list[Line]:
        """The last `n` lines of these locations together, oldest first.

        Those of one location stay in their order even where the clock was set back.
        """
        found = [self._log(location).lines(n) for location in locations]
        return list(merge(*found, key=lambda line: line.at))[-n:] if n > 0 else []

    @property
    def dropped(self) -> int:
        """Bytes that could not be written to files, as on a full disk."""
        return sum(log.file.dropped for log in self._locations.values())

    def forget(self, location: str) -> None:
        """Free what a location that is gone takes; its files stay."""
        log = self._locations.pop(location, None)
        if log is not None:
            log.file.close()

    def close(self) -> None:
        for location in list(self._locations):
            self.forget(location)

    def _keep(self, block: Block) -> None:
        self._log(block.location).add(block)
        self._follow(block)

    def _log(self, location: str) -> _LocationLog:
        if location not in self._locations:
            path = self._folder / f"{file_name(location)}.log"
            file = RotatedFile(path, self._file_bytes, self._files)
            self._locations[location] = _LocationLog(location, file)
        return self._locations[location]


class _LocationLog:
    """The last blocks of one location, each with whether its file has it too."""

    def __init__(self, location: str, file: RotatedFile) -> None:
        self.file = file
        self._location = location
        self._recent: deque[tuple[Block, int, bool]] = deque()
        self._count = 0
        self._size = 0

    def add(self, block: Block) -> None:
        encoded = encode(block)
        self._recent.append((block, len(encoded), self.file.append(encoded)))
        self._count += len(block.texts)
        self._size += len(encoded)
        while len(self._recent) > 1 and self._has_enough_without_first():
            first, size, _ = self._recent.popleft()
            self._count -= len(first.texts)
            self._size -= size

    def lines(self, n: int) -> list[Line]:
        """The last `n` lines: from memory, and what is older from the files."""
        recent = [line for block, _, _ in self._recent for line in block.lines()]
        missing = n - len(recent)
        if missing <= 0:
            return recent[-n:]
        also_stored = sum(len(block.texts) for block, _, stored in self._recent if stored)
        stored = self.file.tail(missing + also_stored)
        older = stored[: len(stored) - also_stored]
        read = (decode(self._location, record) for record in older)
        return [*(line for line in read if line is not None), *recent]

    def _has_enough_without_first(self) -> bool:
        first = self._recent[0][0]
        return self._count - len(first.texts) >= RECENT_LINES or self._size > RECENT_BYTES
