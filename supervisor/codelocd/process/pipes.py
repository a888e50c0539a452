"""What a child prints: a pipe for each stream, read as it comes, in order, and to its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from codelocd.model import Output, Stream

_CHUNK = 256 * 1024
_FIRST_CHUNK = 64 * 1024
_SMALLEST_CHUNK = 4096
_PATIENCE = 0.005
"""Seconds of CPU that dealing with one chunk may take: everything else waits meanwhile."""

_PIPE = 64 * 1024
_LARGE_PIPE = 256 * 1024
"""What a pipe holds, and holds while it is flooded: a writer that finds it full has to wait."""

_QUICK = 0.002
"""Seconds between two looks at which output counts as a stream of it."""

_LOOKS = 8
"""Looks in a row that are as quick as that before the pipes are left to fill for a while."""

_REST = 0.005
"""Seconds for which they are left: many lines at once cost far less than one at a time."""

_MUCH = 16 * 1024
"""Bytes at once that are many lines already."""


class _Pipe:
    """The reading end of one."""

    def __init__(self, descriptor: int, stream: Stream) -> None:
        self.descriptor = descriptor
        self.stream: Stream = stream
        self.seen = 0
        self.large = False

    def unseen(self) -> int:
        """Bytes that have come since the last look."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self.descriptor, termios.FIONREAD, bytes(4)))
        return max(0, int(waiting) - self.seen)

    def resize(self, *, large: bool) -> None:
        """Let it hold more for as long as that is needed: what all pipes hold has a limit."""
        if large != self.large and hasattr(fcntl, "F_SETPIPE_SZ"):
            size = _LARGE_PIPE if large else _PIPE
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, size)
                self.large = large


class OutputPipes:
    """The reading ends of a child's standard output and error, or of one that another daemon began.

    Two pipes do not tell what was written first. So each look notes how much waits in which, the
    stream that spoke last before the other, and all is taken in the order of what was noted.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptors: Sequence[int], output: Output
    ) -> None:
        self._loop = loop
        self._output = output
        self._pipes = [_Pipe(descriptors[0], "stdout"), _Pipe(descriptors[1], "stderr")]
        self._seen: deque[tuple[_Pipe, int]] = deque()
        self._chunk = _FIRST_CHUNK
        self._looked = 0.0
        self._looks = 0
        self._resting: asyncio.TimerHandle | None = None
        for descriptor in descriptors:
            os.set_blocking(descriptor, False)

    @property
    def descriptors(self) -> dict[str, int]:
        """Those that are not at their end, by stream."""
        return {pipe.stream: pipe.descriptor for pipe in self._pipes}

    def begin(self) -> None:
        for pipe in self._pipes:
            self._loop.add_reader(pipe.descriptor, self._ready, pipe)

    def finish(self) -> None:
        """The process is gone: take what is left in its pipes, to which its children may still
        write."""
        try:
            self._look()
            while self._seen:
                self._take()
        finally:
            for pipe in list(self._pipes):
                self._close(pipe)

    def _ready(self, pipe: _Pipe) -> None:
        self._look()
        if not pipe.seen:
            self._end(pipe)
        self._rest(self._take())

    def _look(self) -> None:
        for pipe in self._pipes:
            unseen = pipe.unseen()
            if unseen:
                pipe.seen += unseen
                self._seen.append((pipe, unseen))
            if pipe.seen > _PIPE // 2:
                pipe.resize(large=True)

    def _take(self) -> int:
        """A chunk of what was seen, the oldest first; how many bytes."""
        left = self._chunk
        began = time.thread_time()
        while self._seen and left > 0:
            pipe, seen = self._seen.popleft()
            data = self._read(pipe, min(seen, left))
            if not data:
                continue  # another process has read from the pipe
            left -= len(data)
            pipe.seen -= len(data)
            if len(data) < seen:
                self._seen.appendleft((pipe, seen - len(data)))
            self._speaks(pipe)
            self._output(pipe.stream, data)
        taken = self._chunk - left
        self._adapt(time.thread_time() - began)
        return taken

    def _read(self, pipe: _Pipe, size: int) -> bytes:
        try:
            return os.read(pipe.descriptor, size)
        except BlockingIOError:
            pipe.seen = 0
            return b""

    def _speaks(self, pipe: _Pipe) -> None:
        """Note the stream that was read last: where both have more, that one is read first."""
        if self._pipes[0] is not pipe:
            self._pipes.reverse()

    def _adapt(self, seconds: float) -> None:
        """Millions of short lines take far longer than their bytes: take fewer at once."""
        if seconds > _PATIENCE:
            self._chunk = max(_SMALLEST_CHUNK, self._chunk // 4)
        elif seconds < _PATIENCE / 4:
            self._chunk = min(_CHUNK, self._chunk * 2)

    def _rest(self, taken: int) -> None:
        """Leave the pipes alone for a while, if they were looked at again and again."""
        now = self._loop.time()
        quick = now - self._looked < _QUICK + (_REST if self._looks >= _LOOKS else 0)
        self._looked = now
        self._looks = self._looks + 1 if quick else 0
        if not quick:
            for pipe in self._pipes:
                pipe.resize(large=False)
        if self._looks < _LOOKS or taken >= _MUCH or self._seen or not self._pipes:
            return
        for pipe in self._pipes:
            self._loop.remove_reader(pipe.descriptor)
        self._resting = self._loop.call_later(_REST, self._go_on)

    def _go_on(self) -> None:
        self._resting = None
        self.begin()

    def _end(self, pipe: _Pipe) -> None:
        """Close a pipe that is readable and empty: it has no writer any more."""
        try:
            data = os.read(pipe.descriptor, self._chunk)
        except BlockingIOError:
            return
        if data:  # it came between the two looks
            self._output(pipe.stream, data)
        else:
            self._close(pipe)

    def _close(self, pipe: _Pipe) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self._pipes.remove(pipe)
        self._loop.remove_reader(pipe.descriptor)
        os.close(pipe.descriptor)
        self._output(pipe.stream, b"")


@contextlib.contextmanager
def pipes(
    loop: asyncio.AbstractEventLoop, output: Output
) -> Iterator[tuple[OutputPipes, Sequence[int]]]:
    """Those of standard output and error; the writing ends are closed here in the end."""
    readers, writers = _two_pipes()
    try:
        yield OutputPipes(loop, readers, output), writers
    except BaseException:
        _close_all(readers)
        raise
    finally:
        _close_all(writers)


def _two_pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """The reading ends of two pipes, and the writing ends; both pipes or OSError."""
    first = os.pipe()
    try:
        second = os.pipe()
    except OSError:
        _close_all(first)
        raise
    return (first[0], second[0]), (first[1], second[1])


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
