"""Accepts connections from peers that are allowed to connect, and opens them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Handler, Listener, Peer, keep_quiet, no_methods
from codelocd.rpc.requests import Limits, Report
from codelocd.rpc.unix import BACKLOG, Credentials


class Server:
    """A listening socket and the connections it has accepted: `peers`, those of now."""

    def __init__(
        self,
        accept: Callable[[Server], Peer],
        allowed: Callable[[Credentials], bool],
        disconnected: Callable[[Peer], None],
    ) -> None:
        self._allowed = allowed
        self._disconnected = disconnected
        self._accept = accept
        self._listening: asyncio.Server | None = None
        self.peers: set[Peer] = set()

    async def listen(self, sock: socket.socket) -> None:
        """Accept at `sock`, and no longer where it did before; connections stay."""
        if self._listening is not None:
            self._listening.close()
        # Not create_unix_server: that would look for the name under which the socket was bound,
        # and remove it at the end, which is for the process that passed the socket to do.
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: self._accept(self), sock=sock, backlog=BACKLOG
        )

    def close(self) -> None:
        """Accept no more connections, and end each after what is still to be sent to it."""
        if self._listening is not None:
            self._listening.close()
        for peer in list(self.peers):
            peer.close()

    async def wait_closed(self) -> None:
        """Return when every connection is gone."""
        if self.peers:
            await asyncio.wait([peer.closed for peer in self.peers])

    def admit(self, peer: Peer) -> None:
        """Let a connection ask; one that may not is told so, and closed."""
        self.peers.add(peer)
        peer.closed.add_done_callback(lambda _: self._forget(peer))
        who = peer.credentials
        if who is None:
            peer.reject(RpcError("usage", "this system does not tell who connects"))
        elif not self._allowed(who):
            peer.reject(RpcError("usage", f"user {who.uid} may not use this socket"))

    def _forget(self, peer: Peer) -> None:
        self.peers.discard(peer)
        self._disconnected(peer)


class _Accepted(Peer):
    """The server's end of a connection."""

    def __init__(self, server: Server, handler: Handler, limits: Limits, report: Report) -> None:
        super().__init__(handler, limits=limits, report=report, patient=True)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.admit(self)


async def start_server(
    sock: socket.socket,
    handler: Handler,
    *,
    allowed: Callable[[Credentials], bool],
    limits: Limits | None = None,
    report: Report = keep_quiet,
    disconnected: Callable[[Peer], Any] = lambda _peer: None,
) -> Server:
    """Answer on a listening Unix socket.

    `handler` runs once for each request and notification, in a task that is cancelled when the
    connection ends. `allowed` decides on each connection. `report` hears of exceptions that are
    no RpcError, and of connections that were broken off; `disconnected` of each that ended.
    """
    bounds = limits or Limits()
    server = Server(
        lambda server: _Accepted(server, handler, bounds, report), allowed, disconnected
    )
    await server.listen(sock)
    return server


_PAUSE = 0.01
"""Seconds between tries while the listener's queue is full: Linux has no event for it."""


async def open_peer(
    path: Path,
    handler: Handler = no_methods,
    *,
    listener: Listener | None = None,
    limits: Limits | None = None,
    timeout: float = 10.0,
) -> Peer:
    """A connection to the process that listens at `path`.

    `handler` answers what the other end asks, `listener` takes its notifications (without one
    they go to the handler). Raises OSError; TimeoutError where the listener does not accept
    for `timeout` seconds.
    """
    async with asyncio.timeout(timeout):
        connected = await _reach(path)
    _, peer = await asyncio.get_running_loop().create_unix_connection(
        lambda: Peer(handler, listener=listener, limits=limits), sock=connected
    )
    return peer


async def _reach(path: Path) -> socket.socket:
    while True:
        try:
            return unix.connect(path)
        except BlockingIOError:
            await asyncio.sleep(_PAUSE)
