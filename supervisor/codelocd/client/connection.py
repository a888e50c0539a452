"""A connection whose user waits for each message."""

from __future__ import annotations

import _socket  # `socket` would import enum, selectors and collections: 6 ms of each command
import os
import time
from collections import deque

from codelocd.rpc.errors import RpcError, received
from codelocd.rpc.messages import FAREWELL, NOTIFICATION, Decoder, Malformed, pack
from codelocd.rpc.unix_address import peer_uid, shortcut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from codelocd.rpc.messages import Message

    Reason: TypeAlias = Literal["absent", "refused", "denied", "silent", "lost", "foreign"]


class DaemonUnreachable(Exception):
    """No answer, and why, in one sentence.

    `reason`: "absent" (no socket there), "refused" (a socket without a listener), "denied"
    (no permission), "silent" (no answer in time), "lost" (the connection ended), "foreign" (another
    user's process listens there: nothing was asked).
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def explain(error: OSError, path: str) -> DaemonUnreachable:
    """Why a connection to the socket at `path` could not be made or used."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DaemonUnreachable("absent", f"there is no socket at {path}: no daemon runs there")
    if isinstance(error, ConnectionRefusedError):
        left = "left over by a daemon that has ended"
        return DaemonUnreachable("refused", f"no daemon listens on the socket {path}: {left}")
    if isinstance(error, PermissionError):
        return DaemonUnreachable("denied", f"no permission to use the socket {path}")
    if isinstance(error, BlockingIOError | TimeoutError):
        return DaemonUnreachable("silent", f"the daemon at {path} accepts no connection")
    return DaemonUnreachable("lost", f"the connection to the daemon at {path} ended: {error}")


def silent(path: str, timeout: float) -> DaemonUnreachable:
    return DaemonUnreachable("silent", f"the daemon at {path} did not answer within {timeout:g} s")


def lost(path: str, why: object) -> DaemonUnreachable:
    return DaemonUnreachable("lost", f"the daemon at {path} closed the connection: {why}")


def refuse_foreign(path: str, uid: int | None) -> None:
    """Raises DaemonUnreachable where user `uid` listens: neither we ourselves nor root.

    None: the system does not tell who it is.
    """
    if uid is None or uid not in (os.geteuid(), 0):
        who = "a user that the system does not name" if uid is None else f"user {uid}"
        what = f"{who} listens on the socket {path}, neither you nor root"
        raise DaemonUnreachable("foreign", what)


_CHUNK = 256 * 1024

_PAUSE = 0.01
"""Seconds between tries while the listener's queue is full: Linux has no event for it."""


class Deadline:
    """The moment after which the client no longer waits; `seconds` None: there is none."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds from now; TimeoutError where none are left."""
        if self._at is None:
            return None
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class RpcConnection:
    """Messages to and from the daemon at `path`. Raises DaemonUnreachable, and TimeoutError.

    `foreign`: whether it may be another user's. `uid`: whose it is.
    """

    def __init__(self, path: str, deadline: Deadline, *, foreign: bool = False) -> None:
        self._path = path
        self._decoder = Decoder()
        self._ready: deque[Message] = deque()
        self._farewell: RpcError | None = None
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            self._connect(deadline)
        except OSError as error:
            self.close()
            raise explain(error, path) from None
        self.uid = peer_uid(self._socket)
        if not foreign:
            try:
                refuse_foreign(path, self.uid)
            except DaemonUnreachable:
                self.close()
                raise

    def send(self, message: Message, deadline: Deadline) -> None:
        try:
            self._socket.settimeout(deadline.left())
            self._socket.sendall(pack(message))
        except TimeoutError:
            self.close()  # half a message may be on its way
            raise
        except OSError:
            pass  # the other end closed before it had read everything: what it said tells why

    def receive(self, deadline: Deadline) -> Message:
        """The next message."""
        while not self._ready:
            self._read(deadline)
        return self._ready.popleft()

    def close(self) -> None:
        self._socket.close()

    def _connect(self, deadline: Deadline) -> None:
        while True:
            self._socket.settimeout(deadline.left())
            try:
                with shortcut(self._path) as address:
                    return self._socket.connect(address)
            except BlockingIOError:
                time.sleep(_PAUSE)

    def _read(self, deadline: Deadline) -> None:
        try:
            self._socket.settimeout(deadline.left())
            data = self._socket.recv(_CHUNK)
        except TimeoutError:
            raise
        except OSError as error:
            raise self._gone(error) from None
        if not data:
            raise self._gone("it sent nothing more")
        self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                if message[:2] == [NOTIFICATION, FAREWELL]:
                    self._farewell = received(message[2][0] if message[2] else None)
                else:
                    self._ready.append(message)
        except Malformed as malformed:
            raise self._gone(malformed) from None

    def _gone(self, why: object) -> DaemonUnreachable:
        self.close()
        return lost(self._path, self._farewell or why)
