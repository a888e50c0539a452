"""The warm interpreter's end of its socket to the daemon: orders with descriptors, reports."""

from __future__ import annotations

import _socket
from _socket import socket

from ..jsontext import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Tuple

HEADER_BYTES = 8
DESCRIPTORS = 8
INTEGER_BYTES = 4
"""What one descriptor takes in a control message: a C int."""


class Channel:
    """An order is its length, eight bytes, with descriptors beside them; then so much JSON."""

    __slots__ = ("_socket",)

    def __init__(self, fd: int) -> None:
        self._socket = socket(fileno=fd)

    def receive(self) -> Optional[Tuple[Any, List[int]]]:
        """The next order, None once the daemon has closed its end."""
        room = _socket.CMSG_SPACE(DESCRIPTORS * INTEGER_BYTES)
        header, control, _, _ = self._socket.recvmsg(HEADER_BYTES, room)
        if not header:
            return None
        header += self._exactly(HEADER_BYTES - len(header))
        text = self._exactly(int.from_bytes(header, "big"))
        return loads(text.decode()), descriptors(control)

    def send(self, report: Any) -> None:
        self._socket.sendall(dumps(report).encode() + b"\n")

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise EOFError("the daemon closed the connection within an order")
            data += piece
        return data


def descriptors(control: List[Tuple[int, int, bytes]]) -> List[int]:
    found = []
    for level, kind, data in control:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            whole = len(data) - len(data) % INTEGER_BYTES
            found += memoryview(data[:whole]).cast("i").tolist()
    return found
