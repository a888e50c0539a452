"""One daemon per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType


class Busy(Exception):
    """Another daemon has the state directory; `str()` is one line."""


class Lock:
    """Held by the process until it ends, however it ends; the file says who holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> Lock:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode() or "unknown"
            os.close(self._file)
            message = f"another daemon (pid {holder}) uses {self._path.parent}; stop it first"
            raise Busy(message) from None
        with contextlib.suppress(OSError):  # a full disk: held all the same, by nobody known
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)
