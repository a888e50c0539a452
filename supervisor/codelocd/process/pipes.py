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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from codelocd.core.logged_output import LoggedOutput
from codelocd.model import Output, Stream
from codelocd.process.transit import Transit

_CHUNK = 256 * 1024
_FIRST_CHUNK = 64 * 1024
_SMALLEST_CHUNK = 4096
_PATIENCE = 0.005
"""Seconds of CPU that dealing with one chunk may take: everything else waits meanwhile."""

STREAMS: tuple[Stream, ...] = ("stdout", "stderr")
"""In the order of their descriptors."""

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

    def __init__(self, descriptor: int, stream: Stream, passage: Passage) -> None:
        self.descriptor = descriptor
        self.stream: Stream = stream
        self.passage = passage
        self.seen = 0
        self.large = False

    def read(self, size: int) -> bytes:
        """Raises BlockingIOError."""
        return self.passage.read(self.descriptor, size)

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


class Passage:
    """From a pipe to its output: what is lost on the way if the daemon is killed is lost."""

    def __init__(self, stream: Stream, output: Output) -> None:
        self._stream: Stream = stream
        self._output = output

    def read(self, pipe: int, size: int) -> bytes:
        return os.read(pipe, size)

    def tell(self, data: bytes) -> None:
        """What was read; b"" at the end."""
        self._output(self._stream, data)


class SafePassage(Passage):
    """By the transit, to an output that is `logged`: nothing is lost on the way."""

    def __init__(
        self, stream: Stream, output: Output, logged: LoggedOutput, transit: Transit, slot: int
    ) -> None:
        super().__init__(stream, output)
        self._logged = logged
        self._transit = transit
        self._slot = slot

    def read(self, pipe: int, size: int) -> bytes:
        try:
            return self._transit.take(self._slot, pipe, size, self._logged.last)
        except BlockingIOError:
            raise
        except OSError:  # short of memory: as well as it goes
            return os.read(pipe, size)

    def tell(self, data: bytes) -> None:
        if not data:
            self._transit.begin(self._slot, self._logged.last)
        self._output(self._stream, data)
        self._transit.written(self._slot, self._logged.begun(self._stream))


def passages(
    output: Output, transit: Transit | None, slots: Mapping[Stream, int]
) -> dict[Stream, Passage]:
    """Of each stream to `output`: safe where it has a slot."""
    logged: LoggedOutput | None = getattr(output, "logged", None)
    found: dict[Stream, Passage] = {}
    for stream in STREAMS:
        if transit is not None and logged is not None and stream in slots:
            found[stream] = SafePassage(stream, output, logged, transit, slots[stream])
        else:
            found[stream] = Passage(stream, output)
    return found


class OutputPipes:
    """The reading ends of a child's standard output and error, or of one that another daemon began.

    Two pipes do not tell what was written first. So each look notes how much waits in which, the
    stream that spoke last before the other, and all is taken in the order of what was noted.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptors: Sequence[int],
        passages: Mapping[Stream, Passage],
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        """`ended` is called once both are at their end, and all of them is told."""
        self._loop = loop
        self.ended = ended
        self.number = 0
        """Among all that print; the owner's to use."""
        ends = zip(STREAMS, descriptors, strict=True)
        self._pipes = [_Pipe(end, stream, passages[stream]) for stream, end in ends]
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
            pipe.passage.tell(data)
        taken = self._chunk - left
        self._adapt(time.thread_time() - began)
        return taken

    def _read(self, pipe: _Pipe, size: int) -> bytes:
        try:
            return pipe.read(size)
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
            data = pipe.read(self._chunk)
        except BlockingIOError:
            return
        if data:  # it came between the two looks
            pipe.passage.tell(data)
        else:
            self._close(pipe)

    def _close(self, pipe: _Pipe) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self._pipes.remove(pipe)
        self._loop.remove_reader(pipe.descriptor)
        os.close(pipe.descriptor)
        pipe.passage.tell(b"")
        if not self._pipes:
            self.ended()


@contextlib.contextmanager
def pipes() -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """The reading ends of those of standard output and error, and the writing ends, which are
    closed here in the end; where it fails, the others as well."""
    readers, writers = _two_pipes()
    try:
        yield readers, writers
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
