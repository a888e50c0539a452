"""Asks codelocd's daemon one thing, over its control socket: from a process of another program."""

from __future__ import annotations

import os
import socket
import sys

from ._msgpack import Packer, Unpacker  # pyright: ignore[reportMissingModuleSource]  # see there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Mapping, Optional

SOCKET = "CODELOCD_SOCKET"
SECONDS = 60.0
"""For an answer: the first one may wait until the location is served."""
MESSAGE_BYTES = 64 * 1024 * 1024
REQUEST, RESPONSE = 0, 1


class NotCarriedOut(Exception):
    """The daemon was not reached, or has refused: nothing has begun. `kind`: of its error."""

    def __init__(self, message: str, kind: Optional[str] = None) -> None:
        super().__init__(message)
        self.kind = kind


class Unanswered(Exception):
    """The daemon was asked, and did not say what came of it."""


def ask(method: str, params: Mapping[str, Any]) -> Dict[str, Any]:
    """The daemon's answer. Raises NotCarriedOut and Unanswered."""
    try:
        connection = connected(os.environ[SOCKET])
    except (KeyError, OSError) as error:
        raise NotCarriedOut(f"codelocd does not answer: {error}") from None
    with connection:
        try:
            connection.settimeout(SECONDS)
            packer = Packer(unicode_errors="surrogateescape")
            connection.sendall(packer.pack([REQUEST, 1, method, [dict(params)]]))
            refusal, result = answer_in(connection)
        except OSError as problem:
            raise Unanswered(f"codelocd has not answered: {problem}") from None
    if refusal is not None:
        raise NotCarriedOut(str(refusal.get("message")), refusal.get("kind"))
    answer: Dict[str, Any] = result
    return answer


def connected(path: str) -> socket.socket:
    """Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        if not sys.platform.startswith("linux"):
            connection.connect(path)
            return connection
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # the path may be longer than an address holds
            connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
    except BaseException:
        connection.close()
        raise
    return connection


def answer_in(connection: socket.socket) -> Any:
    """The error and the result. Raises OSError."""
    unpacker = Unpacker(max_buffer_size=MESSAGE_BYTES)
    while True:
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("it has closed the connection")
        unpacker.feed(data)
        for message in unpacker:
            if message[0] == RESPONSE:
                return message[2], message[3]
