"""The conversation with the daemon: MessagePack-RPC over the socket that it has passed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgpack

from codeloc_ray.errors import EngineError

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2
MESSAGE_BYTES = 64 * 1024 * 1024 + 64 * 1024
"""Of one message: a runner's own largest, and what is around it."""
READ_BYTES = 256 * 1024

Handler = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class DaemonConnection:
    """The other end. It asks, `handler` answers; this end only notifies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._working: set[asyncio.Task[None]] = set()

    @classmethod
    async def at(cls, descriptor: int) -> DaemonConnection:
        """The daemon at a socket that this process has inherited."""
        connected = socket.socket(fileno=descriptor)
        connected.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=connected, limit=READ_BYTES)
        return cls(reader, writer)

    async def serve(self, handler: Handler) -> None:
        """Answer until the daemon is gone. Notifications are answered, too: with nothing."""
        unpacker = unpacker_of_messages()
        while data := await self._read():
            unpacker.feed(data)
            for message in unpacker:
                task = asyncio.get_running_loop().create_task(self._take(handler, message))
                self._working.add(task)
                task.add_done_callback(self._working.discard)

    def notify(self, method: str, **params: Any) -> None:
        """Tell without an answer."""
        self._send([NOTIFICATION, method, [params]])

    async def drained(self) -> None:
        """Returns when the daemon has taken most of what it was told."""
        try:
            await self._writer.drain()
        except OSError:
            return

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_BYTES)
        except OSError:
            return b""

    async def _take(self, handler: Handler, message: list[Any]) -> None:
        kind, *rest = message
        if kind == NOTIFICATION:
            rest = [None, *rest]
        number, method, params = rest
        try:
            result, error = await handler(method, params[0] if params else {}), None
        except EngineError as failure:
            result, error = None, failure.document()
        except Exception as failure:  # noqa: BLE001  one request's failure must not end the others
            told = f"{method}: {type(failure).__name__}: {failure}".splitlines()[0]
            result, error = None, EngineError("internal", told).document()
        if number is not None:
            self._send([RESPONSE, number, error, result])

    def _send(self, message: list[Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(packed(message))


def unpacker_of_messages() -> Any:
    """Paths that are not UTF-8 come as they are on disk."""
    return msgpack.Unpacker(
        raw=False,
        strict_map_key=False,
        unicode_errors="surrogateescape",
        max_buffer_size=MESSAGE_BYTES * 2,
    )


def packed(value: Any) -> bytes:
    """As MessagePack."""
    try:
        data = msgpack.packb(value, unicode_errors="surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which stands for no bytes
        data = msgpack.packb(value, unicode_errors="backslashreplace")
    return bytes(data or b"")
