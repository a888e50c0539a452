"""The lock that allows one daemon for each state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class Busy(Exception):
    """Another daemon has the state directory; `str()` is one line."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock. The kernel frees it when the process ends, however that happens; the file has
    its pid.

    Raises Busy, and OSError.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _take(file, path.parent)
        with contextlib.suppress(OSError):  # a full disk: held all the same, by an unknown pid
            os.ftruncate(file, 0)
            os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def _take(file: int, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.read(file, 20)
        holder = written.decode() if written.isdigit() else "unknown"
        message = f"another daemon (pid {holder}) uses {folder}; stop it first"
        raise Busy(message) from None
