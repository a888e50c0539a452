"""Locks between processes that build environments and those that use them.

Only `flock`: it dies with the processes that hold the descriptor, so nothing is ever stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from codeloc_envs.problem import EnvironmentProblem


class Lease:
    """A held lock. A child that inherits `fileno()` holds it too, as long as it lives.

    Where holding it is a use, the time of its file is when it was last taken or closed.
    """

    def __init__(self, path: Path, descriptor: int, *, is_use: bool) -> None:
        self.path = path
        self._descriptor = descriptor
        self._is_use = is_use
        self._touch()

    def fileno(self) -> int:
        """-1 once closed."""
        return self._descriptor

    def close(self) -> None:
        """Let go. Closing twice does nothing."""
        if self._descriptor >= 0:
            self._touch()
            os.close(self._descriptor)
            self._descriptor = -1

    def _touch(self) -> None:
        """By the clock of `time.time`: the one of file systems is milliseconds behind it."""
        if self._is_use:
            now = time.time_ns()
            with contextlib.suppress(OSError):
                os.utime(self._descriptor, ns=(now, now))

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def share(path: Path) -> Lease:
    """Hold it together with others; waits while a process holds it alone."""
    descriptor = _acquire(path, fcntl.LOCK_SH)
    assert descriptor is not None
    return Lease(path, descriptor, is_use=True)


def hold(path: Path, waiting: Callable[[], None] | None = None) -> Lease:
    """Hold alone; calls `waiting` once before it waits for another holder."""
    descriptor = _acquire(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if descriptor is None:
        if waiting is not None:
            waiting()
        descriptor = _acquire(path, fcntl.LOCK_EX)
        assert descriptor is not None
    return Lease(path, descriptor, is_use=True)


def try_hold(path: Path) -> Lease | None:
    """Hold it alone, in order to remove what it protects; None if another process holds it."""
    descriptor = _acquire(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return None if descriptor is None else Lease(path, descriptor, is_use=False)


def last_used(path: Path) -> float:
    """When the file of a lease was last taken or closed, in Unix seconds; 0 if never."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def _acquire(path: Path, how: int) -> int | None:
    """A descriptor of the locked file, None if it is taken.

    The file is the one that stands at `path` now: a collector may unlink it between
    opening and locking.
    """
    while True:
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, how)
            if _stands_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise EnvironmentProblem(
                f"{path.parent.parent} is on a filesystem without working locks "
                f"({error.strerror}); put the store on a local disk"
            ) from None
        os.close(descriptor)


def _stands_at(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
