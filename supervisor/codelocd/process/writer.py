"""Writes to descriptors whose reader may be slow, stand still or be gone, on threads of their own:
who writes never waits."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import select
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

KEPT = 10_000
"""Lines that wait at most; a terminal that stands still (Ctrl-S) must not stop the daemon."""

KEPT_CHARACTERS = 8 * 1024 * 1024
"""Of all of these lines: one line may have a traceback of any length."""

_AT_ONCE = 64
"""Pieces of text that are written together where so many wait."""

_LAST = 1.0
"""Seconds for the reader of a stream to take what waits at the end."""

Note = Callable[[int], str]
"""What tells of so many lines that were dropped, with its own end of line."""


def _of_terminal(lines: int) -> str:
    return f"({lines} lines not shown: the terminal was too slow)\n"


class Writer:
    """Writes to a descriptor on a thread of its own. Any thread may use it.

    `put` and `write` never wait. `gone` is called, on the writer's thread, when the reader is gone.
    Raises RuntimeError where no thread can be started.
    """

    def __init__(
        self, descriptor: int, gone: Callable[[], None], note: Note = _of_terminal
    ) -> None:
        self.note = note
        self._descriptor = descriptor
        self._gone = gone
        self._pieces: queue.SimpleQueue[tuple[str, int] | None] = queue.SimpleQueue()
        self._counting = threading.Lock()
        self._lines = self._characters = self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def put(self, text: str, lines: int = 1) -> None:
        """Take so many lines, without the end of the last; those that would be too many are
        counted, not kept."""
        self._take(f"{text}\n", lines)

    def write(self, text: str) -> None:
        """Take a piece of text as it is, under the same bounds."""
        self._take(text, text.count("\n"))

    def _take(self, text: str, lines: int) -> None:
        with self._counting:
            if self._lines + lines > KEPT or self._characters + len(text) > KEPT_CHARACTERS:
                self._dropped += lines
                return
            self._lines += lines
            self._characters += len(text)
        self._pieces.put((text, lines))

    @property
    def waits(self) -> bool:
        """Whether there is anything that is not on its way yet."""
        return self._characters > 0

    def close(self, patience: float) -> None:
        """Write what waits, for at most `patience` seconds."""
        self._pieces.put(None)
        self._thread.join(patience)

    def _run(self) -> None:
        try:
            while pieces := self._waiting():
                self._write(pieces)
        except OSError:
            self._gone()
            while (piece := self._pieces.get()) is not None:
                self._begun(piece)

    def _waiting(self) -> list[tuple[str, int]]:
        """What is to be written next; nothing at the end."""
        found: list[tuple[str, int]] = []
        while len(found) < _AT_ONCE and (not found or not self._pieces.empty()):
            piece = self._pieces.get()
            if piece is None:
                self._pieces.put(None)  # for the next time
                break
            found.append(piece)
            self._begun(piece)  # on its way, it no longer waits
        return found

    def _begun(self, piece: tuple[str, int]) -> None:
        with self._counting:
            self._lines -= piece[1]
            self._characters -= len(piece[0])

    def _write(self, pieces: list[tuple[str, int]]) -> None:
        with self._counting:
            dropped, self._dropped = self._dropped, 0
        note = self.note(dropped) if dropped else ""
        text = "".join(text for text, _ in pieces)
        rest = f"{note}{text}".encode(errors="backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


# --- the streams of a process ------------------------------------------------------------------


class UnhinderedStream(io.TextIOBase):
    """In place of a text stream of this process, which has whole lines written: `write` never
    waits, and lines that the reader does not take in time are counted and told. One whose reader is
    gone takes everything, to no effect."""

    def __init__(self, stream: TextIO) -> None:
        """Raises RuntimeError where no thread can be started."""
        self._stream = stream
        self._rest = ""
        self._joining = threading.Lock()
        self.writer = Writer(stream.fileno(), lambda: None, _of_stream)

    def write(self, text: str) -> int:
        with self._joining:
            whole, end, self._rest = f"{self._rest}{text}".rpartition("\n")
            if end:
                self.writer.write(whole + end)
        return len(text)

    def flush(self) -> None:
        """Nothing: a line is on its way as soon as it has its end."""

    def settle(self) -> None:
        """Write what waits, if the reader takes it within a second, and nothing more."""
        with self._joining:
            self.writer.write(self._rest)
        self.writer.close(_LAST)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def _of_stream(lines: int) -> str:
    return f"codelocd: {lines} lines not written: their reader was too slow\n"


@contextlib.contextmanager
def unhindered(*names: str) -> Iterator[None]:
    """Within it no write to these streams of `sys` waits for their reader; at its end that has a
    second for what is left."""
    former = {name: getattr(sys, name) for name in names}
    with contextlib.suppress(RuntimeError):  # short of threads: as they are
        for name, stream in former.items():
            setattr(sys, name, UnhinderedStream(stream))
    try:
        yield
    finally:
        settle(*names)
        for name, stream in former.items():
            setattr(sys, name, stream)


def settle(*names: str) -> None:
    """Write what waits for these streams of `sys`, for a second each at most, and nothing more."""
    for name in names:
        stream = getattr(sys, name)
        if isinstance(stream, UnhinderedStream):
            stream.settle()
        else:
            stream.flush()


def write_what_is_taken(descriptor: int, data: bytes, patience: float = _LAST) -> None:
    """Write to a pipe or a terminal for as long as its reader takes some of it within `patience`
    seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while data and poll.poll(patience * 1000):
        data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
