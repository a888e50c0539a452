"""The lock that allows one daemon for each state directory, and who holds a lock."""

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


def holder(path: Path) -> int | None:
    """The process that has locked the file with flock(2), as Linux tells of it; None if unknown."""
    with contextlib.suppress(OSError, ValueError):
        number = path.stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, pid, place, *_ = line.split()
            if kind == "FLOCK" and place.rpartition(":")[2] == str(number) and int(pid) > 0:
                return int(pid)
    return None


def _take(file: int, folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.read(file, 20)
        holder = written.decode() if written.isdigit() else "unknown"
        message = f"another daemon (pid {holder}) uses {folder}; stop it first"
        raise Busy(message) from None
