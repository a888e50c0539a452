"""What a child prints: a pipe for each stream, read as it comes and to its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Iterable, Iterator, Sequence

from codelocd.model import Output, Stream

_CHUNK = 65536
_FIRST_CHUNK = 4096
_SMALLEST_CHUNK = 512
_PATIENCE = 0.005
"""Seconds that dealing with one chunk may take: everything else waits meanwhile."""


class Pipe:
    """The reading end of one."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pipe: int,
        stream: Stream,
        output: Output,
    ) -> None:
        self._loop, self._pipe = loop, pipe
        self._stream: Stream = stream
        self._output = output
        self._chunk = _FIRST_CHUNK
        os.set_blocking(pipe, False)

    def begin(self) -> None:
        self._loop.add_reader(self._pipe, self._read)

    def finish(self) -> None:
        """The process is gone: take what it left in the pipe, which somebody may still fill."""
        try:
            left = _waiting(self._pipe) if self._pipe >= 0 else 0
            while left > 0 and (taken := self._read()):
                left -= taken
        finally:
            self._close()

    def _read(self) -> int:
        try:
            data = os.read(self._pipe, self._chunk)
        except BlockingIOError:
            return 0
        if data:
            began = self._loop.time()
            self._output(self._stream, data)
            self._adapt(self._loop.time() - began)
        else:
            self._close()
        return len(data)

    def _adapt(self, seconds: float) -> None:
        """Millions of short lines take far longer than their bytes: take fewer at once."""
        if seconds > _PATIENCE:
            self._chunk = max(_SMALLEST_CHUNK, self._chunk // 4)
        elif seconds < _PATIENCE / 4:
            self._chunk = min(_CHUNK, self._chunk * 2)

    def _close(self) -> None:
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1
            self._output(self._stream, b"")


@contextlib.contextmanager
def pipes(
    loop: asyncio.AbstractEventLoop, output: Output
) -> Iterator[tuple[list[Pipe], Sequence[int]]]:
    """Those of standard output and error; the writing ends are closed here in the end."""
    readers, writers = _two_pipes()
    try:
        yield (
            [
                Pipe(loop, readers[0], "stdout", output),
                Pipe(loop, readers[1], "stderr", output),
            ],
            writers,
        )
    except BaseException:
        _close_all(readers)
        raise
    finally:
        _close_all(writers)


def _waiting(pipe: int) -> int:
    """Bytes that a pipe holds now."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


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
