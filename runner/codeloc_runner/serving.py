"""The lock of a location: the one runner that serves it holds it, for as long as it does."""

from __future__ import annotations

import os
from _thread import allocate_lock
from fcntl import LOCK_EX, LOCK_NB, flock
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple


TRIES = 200
PAUSE_SECONDS = 0.005
"""Together a second: the runner before needs a millisecond to let go."""


class ServingLock:
    """flock(2) of the file at `path`. `descriptor`: the file, which the daemon has opened; None
    where it could not.

    Such a lock belongs to the open file, which the daemon closes after the start. A child that
    Python forks closes it, too; so the lock ends with the runner.
    """

    __slots__ = ("_descriptor", "_ends", "_guard", "_identity", "_wanted", "is_lost", "path")

    def __init__(self, path: str, descriptor: Optional[int]) -> None:
        self.path = path
        self.is_lost = False
        self._guard = allocate_lock()
        self._wanted = False
        self._ends = False
        self._descriptor: Optional[int] = None
        self._identity: Optional[Tuple[int, int]] = None
        if descriptor is not None:
            self._keep(descriptor)
        os.register_at_fork(after_in_child=self._close)

    def take(self) -> bool:
        """Hold it from now on; False while another process has it, or once it was let go."""
        for _ in range(TRIES):
            if self.is_taken():
                return True
            if self._ends:
                break
            sleep(PAUSE_SECONDS)
        return False

    def is_taken(self) -> bool:
        """The same, without a pause."""
        with self._guard:
            if self._ends:
                return False
            self._wanted = True
            self.is_lost = not self._is_held()
            return not self.is_lost

    def renew(self) -> bool:
        """Whether it is still held, where it was taken. It is taken again if user code has closed
        the descriptor, or the file was removed.
        """
        with self._guard:
            self.is_lost = self._wanted and not self._is_held()
            return not self.is_lost

    def let_go(self) -> None:
        """For good: another runner serves from now on."""
        with self._guard:
            self._ends, self._wanted = True, False
            self._close()

    def _is_held(self) -> bool:
        """False where another process has it. A file that cannot be opened or locked, for want of
        descriptors say, keeps no runner from serving; it is tried again at the next heartbeat.
        """
        try:
            if not self._is_current():
                self._close()
                self._keep(open_file(self.path))
            if self._descriptor is not None:
                flock(self._descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _is_current(self) -> bool:
        """Whether the descriptor is the file that is at the path."""
        if not self._is_ours():
            return False
        try:
            return identity(os.stat(self.path)) == self._identity
        except PermissionError:
            return True  # the runner of another user, who cannot look there
        except OSError:
            return False

    def _is_ours(self) -> bool:
        """Whether user code has left the descriptor as it was."""
        try:
            return self._descriptor is not None and (
                identity(os.fstat(self._descriptor)) == self._identity
            )
        except OSError:
            return False

    def _keep(self, descriptor: int) -> None:
        try:
            os.set_inheritable(descriptor, False)
            self._identity = identity(os.fstat(descriptor))
            self._descriptor = descriptor
        except OSError:
            self._descriptor = None

    def _close(self) -> None:
        if self._is_ours() and self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


def identity(status: os.stat_result) -> Tuple[int, int]:
    return status.st_dev, status.st_ino


def open_file(path: str) -> int:
    """The file, made where there is none. Raises OSError."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.mkdir(os.path.dirname(path), 0o700)
        return os.open(path, flags, 0o600)
