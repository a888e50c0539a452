"""The metrics and the health of a daemon at their addresses: a Unix socket beside the control
socket and, where the config names one, a port of 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import h11

from codelocd.daemon import status
from codelocd.daemon.application import Application
from codelocd.daemon.config_watch import ConfigWatch
from codelocd.daemon.control_socket import ControlSocket

if TYPE_CHECKING:
    from codelocd.daemon.metrics.exposition import Reading
    from codelocd.documents.locations import LocationStatus


# --- HTTP --------------------------------------------------------------------------------------

# h11 reads and writes what HTTP looks like. A whole web server would take the daemon more memory
# than all that it does here.

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


# --- the addresses -----------------------------------------------------------------------------

EXPOSITION = "codelocd.daemon.metrics.exposition"


def beside(control: Path) -> Path:
    """The socket for metrics of the daemon with this control socket."""
    if control.name == "control.sock":
        return control.with_name("metrics.sock")
    return control.with_name(f"{control.name}.metrics")


class Monitoring:
    """Serves `/metrics`, `/livez` and `/readyz`.

    `connections`: how many clients the control socket has. `ends`: whether the daemon is about to
    end. `group`: the number of the group that may use the control socket, and so this one.
    """

    def __init__(
        self,
        application: Application,
        config: ConfigWatch,
        connections: Callable[[], int],
        ends: Callable[[], bool],
        report: Callable[[str], None],
    ) -> None:
        self._application = application
        self._config = config
        self._connections = connections
        self._ends = ends
        self._report = report
        self._web = WebServer(self._answer)
        self._socket: ControlSocket | None = None
        self._kept: asyncio.Task[None] | None = None

    async def begin(self, path: Path, group: int | None, port: int | None) -> None:
        """Listen. An address that cannot be had is reported, and does not end the daemon."""
        unix = ControlSocket(path, group, self._report)
        try:
            self._web.listen(unix.open())
        except OSError as error:
            self._report(f"no metrics at {path}: {error.strerror}")
        else:
            self._socket = unix
            self._kept = asyncio.get_running_loop().create_task(unix.keep(self._web))
        if port is None:
            return
        try:
            await self._web.listen_at_port(port)
        except OSError as error:
            why = os.strerror(error.errno or errno.EIO)  # asyncio's own text has the address again
            self._report(f"no metrics at 127.0.0.1:{port}: {why}; name another [metrics] port")

    def close(self) -> None:
        if self._kept is not None:
            self._kept.cancel()
        self._web.close()
        if self._socket is not None:
            self._socket.close()

    async def _answer(self, request: WebRequest) -> WebAnswer:
        match request.path:
            case "/metrics":
                return await self._metrics(request.accepted)
            case "/livez":
                return WebAnswer(200, b"ok\n")
            case "/readyz":
                return self._ready(request.query.get("location", []))
            case _:
                return WebAnswer(404, b"there is /metrics, /livez and /readyz\n")

    async def _metrics(self, accepted: str) -> WebAnswer:
        exposition = await asyncio.to_thread(importlib.import_module, EXPOSITION)
        serving = [each.serving for each in self._application.locations.values()]
        usage = self._application.daemon.usage
        await usage.sample_runners([each.handle for each in serving if each is not None])
        reading = self._reading(exposition.Reading)
        body, content_type = await asyncio.to_thread(exposition.exposed, reading, accepted)
        return WebAnswer(200, body, content_type)

    def _reading(self, reading: type[Reading]) -> Reading:
        """What the thread that writes the metrics works on, so nothing in it may change."""
        application = self._application
        return reading(
            tuple(self._entries()),
            application.publisher.registry,
            application.daemon.tally.copy(),
            application.logs.written,
            {name: each["bytes"] for name, each in application.logs.dropped.items()},
            application.watch.noticed,
            self._connections(),
            self._config.state.state == "applied",
        )

    def _entries(self) -> list[LocationStatus]:
        registry, usage = self._application.publisher.registry, self._application.daemon.usage
        own = self._application.locations
        return [
            *(status.measured(each, registry, usage) for each in own.values()),
            *(status.external(spec) for spec in own.external.values()),
        ]

    def _ready(self, asked: list[str]) -> WebAnswer:
        """Whether the locations that were asked for serve; by default all that are wanted."""
        locations = self._application.locations
        why = ["the daemon is about to end"] if self._ends() else []
        if unknown := sorted({*asked} - {*locations.names()}):
            return WebAnswer(404, f"there is no location {', '.join(unknown)}\n".encode())
        for name, location in sorted(locations.items()):
            state = location.state
            if (name in asked or (not asked and state.wanted)) and state.shown != "serving":
                why.append(f"{name} is {state.shown}")
        text = "".join(f"{line}\n" for line in why or ["ok"])
        return WebAnswer(503 if why else 200, text.encode())
