"""Answers HTTP requests for metrics and health, one for each connection.

h11 reads and writes what HTTP looks like. A whole web server would take the daemon more memory
than all that it does here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import h11

MOST = 32
"""Connections at a time; more are closed at once. They must not take the daemon's descriptors."""

PATIENCE = 10.0
"""Seconds that a client has for its request and for taking the answer."""

CHUNK = 65536

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names that a client of the loopback port calls it by. A page of another site that had its own
name point to it is refused (DNS rebinding)."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """`query`: the values of each parameter of the address. `accepted`: the Accept header."""

    path: str
    query: dict[str, list[str]]
    accepted: str


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class WebServer:
    """Listening sockets, and the connections to them."""

    def __init__(self, answer: Callable[[WebRequest], Awaitable[WebAnswer]]) -> None:
        self._answer = answer
        self._unix: asyncio.Server | None = None
        self._port: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._connections = 0

    def listen(self, listener: socket.socket) -> None:
        """Accept at this Unix socket, which listens already, and no longer at an earlier one."""
        listener.setblocking(False)
        self._opening = asyncio.get_running_loop().create_task(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        if self._unix is not None:
            self._unix.close()
        self._unix = await asyncio.start_unix_server(self._connected, sock=listener)

    async def listen_at_port(self, port: int) -> None:
        """Accept at 127.0.0.1. Raises OSError, such as for a port that is taken."""
        self._port = await asyncio.start_server(self._at_port, "127.0.0.1", port)

    def close(self) -> None:
        """Accept no more connections."""
        if self._opening is not None:
            self._opening.cancel()
        for server in (self._unix, self._port):
            if server is not None:
                server.close()

    async def _at_port(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._connected(reader, writer, names=LOOPBACK)

    async def _connected(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        names: frozenset[str] | None = None,
    ) -> None:
        self._connections += 1
        try:
            if self._connections <= MOST:
                async with asyncio.timeout(PATIENCE):
                    await self._talk(reader, writer, names)
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            pass  # a client that went away, or speaks something else
        finally:
            self._connections -= 1
            with contextlib.suppress(OSError):
                writer.close()

    async def _talk(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        names: frozenset[str] | None,
    ) -> None:
        connection = h11.Connection(h11.SERVER)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(CHUNK))
        if not isinstance(event, h11.Request):
            return
        answer = _refused(event, names) or await self._answer(_request(event))
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close"),
        ]
        parts = [connection.send(h11.Response(status_code=answer.status, headers=headers))]
        if event.method != b"HEAD":
            parts.append(connection.send(h11.Data(data=answer.body)))
        writer.write(b"".join(part for part in parts if part))
        await writer.drain()


def _refused(event: h11.Request, names: frozenset[str] | None) -> WebAnswer | None:
    if event.method not in (b"GET", b"HEAD"):
        return WebAnswer(405, b"only GET and HEAD\n")
    host = dict(event.headers).get(b"host", b"").decode("ascii", "replace")
    if names is not None and urlsplit(f"//{host}").hostname not in names:
        return WebAnswer(403, b"this is 127.0.0.1 and goes by no other name\n")
    return None


def _request(event: h11.Request) -> WebRequest:
    address = urlsplit(event.target.decode("ascii", "replace"))
    accepted = dict(event.headers).get(b"accept", b"").decode("latin-1")
    return WebRequest(address.path, parse_qs(address.query), accepted)
