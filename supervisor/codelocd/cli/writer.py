"""Lines on their way to stdout, which may be slow, stopped or gone."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

KEPT = 10_000
"""Lines that wait at most; a terminal that stands still (Ctrl-S) must not stop the daemon."""


class Writer:
    """Writes to a descriptor on a thread of its own.

    `put` never waits. `gone` is called, on that thread, when the reader is gone.
    """

    def __init__(self, descriptor: int, gone: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._lines: queue.Queue[str | None] = queue.Queue(KEPT)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Take a line; one too many is counted, not kept."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self, patience: float) -> None:
        """Write what waits, for at most `patience` seconds."""
        try:
            self._lines.put(None, timeout=patience)
        except queue.Full:
            return
        self._thread.join(patience)

    def _run(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                self._write(line)
        except OSError:
            self._gone()
            while self._lines.get() is not None:
                pass

    def _write(self, line: str) -> None:
        dropped, self._dropped = self._dropped, 0
        note = f"({dropped} lines not shown: the terminal was too slow)\n" if dropped else ""
        rest = f"{note}{line}\n".encode(errors="backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
