"""A socket that user code may close behind our back: every use checks that it is still ours."""

from __future__ import annotations

import _socket
import os
from _socket import socket
from _thread import allocate_lock
from select import POLLIN, POLLOUT, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Set, Tuple

RECEIVE_BYTES = 65536
VIGILANCE_MILLISECONDS = 250

# Linux and the BSDs differ in how a send to a closed peer is kept from raising SIGPIPE, whose
# handling belongs to user code: a flag of the call there, an option of the socket here.
SEND_FLAGS = int(getattr(_socket, "MSG_NOSIGNAL", 0))
NO_SIGNAL_OPTION = getattr(_socket, "SO_NOSIGPIPE", None)


class Lost(Exception):
    """User code closed the descriptor; its number may be one of its own files by now."""


class Vigilance:
    """How often a waiting thread looks whether its descriptor is still its own.

    Often while user code is imported, never afterwards: an idle runner must not wake up.
    """

    __slots__ = ("milliseconds",)

    def __init__(self) -> None:
        self.milliseconds: Optional[int] = VIGILANCE_MILLISECONDS

    def relax(self) -> None:
        self.milliseconds = None


class OwnedSocket:
    """A non-blocking stream socket with the identity it had when it was made."""

    __slots__ = ("_fd", "_identity", "_sending", "_socket", "_vigilance")

    def __init__(self, raw: socket, vigilance: Vigilance) -> None:
        raw.setblocking(False)
        if NO_SIGNAL_OPTION is not None:
            raw.setsockopt(_socket.SOL_SOCKET, NO_SIGNAL_OPTION, 1)
        os.set_inheritable(raw.fileno(), False)
        self._socket = raw
        self._fd = raw.fileno()
        self._identity = identity(self._fd)
        self._vigilance = vigilance
        self._sending = allocate_lock()
        _open.add(self)

    def accept(self) -> OwnedSocket:
        """The next connection. Raises Lost, or OSError where the system is out of something."""
        while True:
            self._wait(POLLIN)
            try:
                fd, _ = self._socket._accept()  # type: ignore[attr-defined]  # what socket.py uses
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                continue
            return OwnedSocket(socket(fileno=fd), self._vigilance)

    def receive(self) -> bytes:
        """What has arrived, b"" at the end. Raises Lost or OSError."""
        while True:
            self._wait(POLLIN)
            try:
                return self._socket.recv(RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                continue

    def send(self, data: bytes) -> None:
        """All of it, never mixed with another thread's. Raises Lost or OSError."""
        rest = memoryview(data)
        with self._sending:
            while rest:
                self._wait(POLLOUT)
                try:
                    rest = rest[self._socket.send(rest, SEND_FLAGS) :]
                except (BlockingIOError, InterruptedError):
                    continue

    def close(self) -> None:
        """Close it, unless its number belongs to somebody else by now."""
        _open.discard(self)
        if self._is_ours():
            self._socket.close()
        else:
            self._socket.detach()

    def _wait(self, event: int) -> None:
        while True:
            self._check()
            waiting = poll()
            waiting.register(self._fd, event)
            if waiting.poll(self._vigilance.milliseconds):
                self._check()
                return

    def _check(self) -> None:
        if not self._is_ours():
            raise Lost

    def _is_ours(self) -> bool:
        try:
            return identity(self._fd) == self._identity
        except OSError:
            return False


_open: Set[OwnedSocket] = set()


def identity(fd: int) -> Tuple[int, int]:
    """Device and inode, which no other open file of this machine shares."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def forget_in_forks() -> None:
    """A child that user code forks must neither answer nor keep a connection open."""
    os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    for one in list(_open):
        one.close()
