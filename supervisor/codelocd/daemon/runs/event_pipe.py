"""The pipes of an attempt: for the word to begin, and for what it tells while it goes on, which can
be a FIFO that the next daemon opens again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from codelocd.core.shapes import WrongShape
from codelocd.runs.told import told_event

LONGEST_LINE = 1024 * 1024
"""Bytes without a line end, after which what came on the pipe is no event."""
CHUNK = 64 * 1024
LAST_READS = 17
"""More than the largest pipe holds that a user may make: a megabyte (pipe(7))."""


def made_fifo(path: Path) -> tuple[int, int]:
    """The reading end of a new FIFO, and the end of its writer. Raises OSError.

    The writer's end is open for reading, too: with no daemon it does not break, and what is written
    waits for the next one.
    """
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    reading = opened_fifo(path)
    try:
        return reading, opened_fifo(path, os.O_RDWR)
    except BaseException:
        os.close(reading)
        raise


def opened_fifo(path: Path, mode: int = os.O_RDONLY) -> int:
    """The reading end, or that of the `mode`. Raises OSError, also where it is no FIFO: another
    user, whose folder it is in, may have put anything in its place."""
    descriptor = os.open(path, mode | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(f"{path} is no FIFO")


class GoAhead:
    """A pipe: the process begins once the word is said, and leaves where it is closed without."""

    def __init__(self) -> None:
        """Raises OSError."""
        reading, writing = os.pipe()
        self._theirs, self._ours = FileIO(reading, "r"), FileIO(writing, "w")

    @property
    def reading(self) -> int:
        return self._theirs.fileno()

    def passed(self) -> None:
        """The process has its end, or never will."""
        self._theirs.close()

    def say(self) -> None:
        """Nothing where the process is gone."""
        with contextlib.suppress(BrokenPipeError):
            self._ours.write(b"\n")
        self.close()

    def close(self) -> None:
        self._theirs.close()
        self._ours.close()


class EventsRead:
    """The reading end of an attempt's pipe; `told` gets each event that is one."""

    def __init__(self, descriptor: int, told: Callable[[Mapping[str, Any]], None]) -> None:
        self._descriptor = descriptor
        self._told = told
        self._rest = b""
        self._is_open = True
        os.set_blocking(descriptor, False)

    def begin(self) -> None:
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def _read(self) -> bool:
        """Whether anything had come."""
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:LONGEST_LINE]
        for line in lines:  # after what the code has printed before, which is being read, too
            asyncio.get_running_loop().call_soon(self._hear, line)
        return True

    def _hear(self, line: bytes) -> None:
        with contextlib.suppress(WrongShape):
            self._told(told_event(line))

    def finish(self) -> None:
        """Hear what has come, and no more: what the attempt has forked may hold it open, and write
        without an end."""
        for _ in range(LAST_READS):
            if not self._is_open or not self._read():
                break
        self.close()

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
