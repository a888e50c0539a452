"""The log files of one location: one that grows, and older ones, compressed."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from pathlib import Path

from codeloc_envs.files import make_folder
from codelocd.storage.log_lines import number

FILE_BYTES = 10 * 1000 * 1000
"""Size at which a file is set aside and another one begun."""

KEPT_BYTES = 50 * 1000 * 1000
"""What the files that were set aside may take together, compressed; the oldest go first."""

_UNPACKED = 4
"""Times that much may wait to be compressed: a flood fills files faster than that takes."""

_CHUNK = 256 * 1024
_LEVEL = 1
"""Of gzip: a file of 10 MB in a tenth of a second, to a seventh of its size."""

Later = Callable[[Callable[[], None]], object]
"""Takes work that may be slow and is done later, in the order in which it came."""


@dataclass(frozen=True, slots=True, order=True)
class OldFile:
    """A file that was set aside; `last` is the number of its last line."""

    last: int
    path: Path


_NUMBER = re.compile(r"(\d{12,})(\.gz)?")
"""What follows the name of the newest file in that of one that was set aside."""


class LogFiles:
    """`path`, and `path.NUMBER.gz` with what is older, named after its last line.

    Nothing here raises for want of space or permission: what cannot be written is counted in
    `dropped` (bytes) and `why` says what was in the way; the next block is tried again. `written`:
    the bytes that were.
    """

    def __init__(self, path: Path, largest: int, kept: int, later: Later) -> None:
        self._path = path
        self._largest = largest
        self._kept = kept
        self._later = later
        self._descriptor: int | None = None
        self._size = 0
        self._last = 0
        self.dropped = self.written = 0
        self.why: str | None = None

    def append(self, block: bytes, last: int) -> bool:
        """Write whole lines, the number of the last one is `last`; all or none: whether it worked.

        A block that does not fit begins a new file, so no line is cut between two.
        """
        try:
            if self._descriptor is not None and not os.fstat(self._descriptor).st_nlink:
                self.close()  # the file was removed: begin another one in its place
            descriptor = self._open()
            if self._size and self._size + len(block) > self._largest:
                self._set_aside()
                descriptor = self._open()
            self._write(descriptor, block)
        except OSError as error:
            self.dropped += len(block)
            self.why = error.strerror or str(error)
            self.close()  # what is in the way may be this file: begin with a fresh look
            return False
        self._last = last
        self.written += len(block)
        return True

    def last_number(self) -> int:
        """The number of the newest line that any of the files has; 0 where there is none."""
        found = _last_number(self._path)
        if found is None:
            found = max((each.last for each in self._old_files()), default=0)
        return found

    def backwards(self) -> Iterator[bytes]:
        """The lines of all files, the newest first; some twice if files rotate meanwhile."""
        with ExitStack() as opened:
            newest = _opened(opened, self._path)  # before the others are listed: none is left out
            if newest is not None:
                yield from lines_backwards(newest)
            for old in reversed(self._old_files()):
                file = _opened(opened, old.path)
                if file is not None:
                    yield from lines_backwards(BytesIO(_content(file)))

    def forwards(self, after: int) -> Iterator[bytes]:
        """The lines of all files that have lines after number `after`, the oldest first."""
        with ExitStack() as opened:
            newest = _opened(opened, self._path)
            for old in self._old_files():
                file = _opened(opened, old.path) if old.last > after else None
                if file is not None:
                    yield from _lines(file)
            if newest is not None:
                _seek(newest, after)
                yield from _lines(newest)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._size = 0

    def _open(self) -> int:
        if self._descriptor is None:
            make_folder(self._path.parent)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._descriptor).st_size
            self._mend(self._descriptor)
        return self._descriptor

    def _mend(self, descriptor: int) -> None:
        """End the line that a power cut left without an end."""
        if self._size and os.pread(descriptor, 1, self._size - 1) != b"\n":
            self._size += os.write(descriptor, b"\n")

    def _set_aside(self) -> None:
        self.close()
        last = self._last or self.last_number()
        self._path.replace(self._path.with_name(f"{self._path.name}.{last:012d}"))
        self._later(self._tidy)

    def _write(self, descriptor: int, block: bytes) -> None:
        written = 0
        try:
            while written < len(block):
                written += os.write(descriptor, block[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, self._size)  # the disk is full in the middle of a line
            raise
        self._size += written

    def _old_files(self) -> list[OldFile]:
        """Those that were set aside, the oldest first."""
        try:
            names = os.listdir(self._path.parent)
        except OSError:
            return []
        begin = f"{self._path.name}."
        own = [name for name in names if name.startswith(begin)]
        found = [(name, _NUMBER.fullmatch(name, len(begin))) for name in own]
        return sorted(OldFile(int(n[1]), self._path.with_name(name)) for name, n in found if n)

    def _tidy(self) -> None:
        """Compress what was set aside, and remove the oldest; a full disk keeps it as it is."""
        self._prune(_UNPACKED * self._kept)
        for old in self._old_files():
            if old.path.suffix != ".gz":
                with suppress(OSError):
                    _compress(old.path)
        self._prune(self._kept)

    def _prune(self, kept: int) -> None:
        total = 0
        for old in reversed(self._old_files()):
            with suppress(OSError):
                total += old.path.stat().st_size
                if total > kept:
                    old.path.unlink()


def _compress(path: Path) -> None:
    """Replace a file by a compressed one; there is always a whole one of the two."""
    half = path.with_name(f".{path.name}.gz")
    half.unlink(missing_ok=True)  # of a daemon that was killed over it
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(half, flags, 0o600)
        with (
            path.open("rb") as plain,
            os.fdopen(descriptor, "wb") as file,
            gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed,
        ):
            shutil.copyfileobj(plain, packed, _CHUNK)
        half.replace(path.with_name(f"{path.name}.gz"))
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    path.unlink()


def _opened(files: ExitStack, path: Path) -> BufferedIOBase | None:
    """A file to read, compressed or not by now; None where there is none to read."""
    for each in (path, path.with_name(f"{path.name}.gz")):
        with suppress(OSError):
            file = files.enter_context(each.open("rb"))
            if each.suffix != ".gz":
                return file
            return files.enter_context(gzip.GzipFile(fileobj=file))
    return None


def _content(file: BufferedIOBase) -> bytes:
    """All of a file; of one that was damaged what comes before the damage."""
    content = bytearray()
    with suppress(OSError, EOFError, zlib.error):
        while chunk := file.read1(_CHUNK):
            content += chunk
    return bytes(content)


def _lines(file: BufferedIOBase) -> Iterator[bytes]:
    """Whole lines; a file that was damaged ends where the damage begins."""
    with suppress(OSError, EOFError, zlib.error):
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def lines_backwards(file: BufferedIOBase) -> Iterator[bytes]:
    """Whole lines from the end on."""
    end = file.seek(0, os.SEEK_END)
    held = b""
    whole = False
    while end > 0:
        begin = max(0, end - _CHUNK)
        file.seek(begin)
        held, *lines = (file.read(end - begin) + held).split(b"\n")
        end = begin
        if not whole and lines:
            lines.pop()  # nothing, or a line without an end, follows the last end of a line
            whole = True
        yield from reversed(lines)
    if whole:
        yield held


def _seek(file: BufferedIOBase, after: int) -> None:
    """To a line of about the number `after`, and not beyond it, by halving."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _CHUNK:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        found = number(file.readline())
        if found is None or found > after:
            high = middle
        else:
            low = middle
    file.seek(low)
    if low:
        file.readline()


def _last_number(path: Path) -> int | None:
    with suppress(OSError), path.open("rb") as file:
        for line in lines_backwards(file):
            found = number(line)
            if found is not None:
                return found
    return None
