"""Lines on their way to stdout, which may be slow, stopped or gone."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

KEPT = 10_000
"""Lines that wait at most; a terminal that stands still (Ctrl-S) must not stop the daemon."""

_AT_ONCE = 64
"""Pieces of text that are written together where so many wait."""


class Writer:
    """Writes to a descriptor on a thread of its own.

    `put` never waits. `gone` is called, on that thread, when the reader is gone.
    """

    def __init__(self, descriptor: int, gone: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._pieces: queue.SimpleQueue[tuple[str, int] | None] = queue.SimpleQueue()
        self._taken = self._begun = self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def put(self, text: str, lines: int = 1) -> None:
        """Take so many lines; those that would be too many are counted, not kept."""
        if self._taken - self._begun + lines > KEPT:
            self._dropped += lines
            return
        self._taken += lines
        self._pieces.put((text, lines))

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
            while self._pieces.get() is not None:
                pass

    def _waiting(self) -> list[tuple[str, int]]:
        """What is to be written next; nothing at the end."""
        found: list[tuple[str, int]] = []
        while len(found) < _AT_ONCE and (not found or not self._pieces.empty()):
            piece = self._pieces.get()
            if piece is None:
                self._pieces.put(None)  # for the next time
                break
            found.append(piece)
            self._begun += piece[1]  # on its way, it no longer waits
        return found

    def _write(self, pieces: list[tuple[str, int]]) -> None:
        dropped, self._dropped = self._dropped, 0
        note = f"({dropped} lines not shown: the terminal was too slow)\n" if dropped else ""
        text = "".join(f"{text}\n" for text, _ in pieces)
        rest = f"{note}{text}".encode(errors="backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
