"""Accepts connections from peers that are allowed to connect, and opens them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.outbox import Unsent
from codelocd.rpc.peer import Handler, Listener, Peer, keep_quiet, no_methods
from codelocd.rpc.requests import HEARD, FairQueue, Limits, Report, Totals
from codelocd.rpc.unix import BACKLOG, Credentials

LARGE = 1024 * 1024
"""Bytes of a message that is not complete, beyond which it is looked at what all have."""

RESERVE = 8
"""Connections that are accepted although the process has used up its descriptors."""

AGAIN = 0.2
"""Seconds until connections are accepted again for which there was no descriptor."""

TOLD = 1.0
"""Seconds in which that is reported once at most."""

SETTLING = 0.02
"""Seconds between two looks whether all that was asked is answered."""

AT_ONCE = 64
"""Connections accepted in a row: the loop has other things to do."""


class Server:
    """A listening socket and the connections it has accepted: `peers`, those of now.

    Not asyncio's own: that would neither accept when the descriptors are used up, nor say so
    less often than it tries.
    """

    def __init__(
        self,
        accept: Callable[[Server], Peer],
        allowed: Callable[[Credentials], bool],
        disconnected: Callable[[Peer], None],
        report: Report = keep_quiet,
        totals: Totals | None = None,
    ) -> None:
        self.totals = totals or Totals()
        self._allowed = allowed
        self._disconnected = disconnected
        self._accept = accept
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._listening: socket.socket | None = None
        self._reserve = Reserve(RESERVE)
        self._later: asyncio.TimerHandle | None = None
        self._told_at = -TOLD
        self._opening: set[asyncio.Task[Any]] = set()
        self.queue = FairQueue()
        self.unsent = Unsent()
        self.peers: set[Peer] = set()
        self._slow: dict[Peer, None] = {}
        self._users: Counter[int] = Counter()

    def listen(self, sock: socket.socket) -> None:
        """Accept at `sock`, and no longer where it did before; connections stay."""
        self._stop_listening()
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._listening = sock
        self._loop.add_reader(sock, self._take_waiting)

    def close(self) -> None:
        """Accept no more connections, and end each after what is still to be sent to it."""
        self._stop_listening()
        for peer in list(self.peers):
            peer.close()
        self._reserve.close()

    async def pause(self, patience: float) -> socket.socket | None:
        """Accept no more connections: who connects from now on waits in the socket's queue. Returns
        that socket when what was asked before is answered, after `patience` seconds at the latest.
        """
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
        if self._later is not None:
            self._later.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._opening or any(peer.is_due() for peer in self.peers):  # noqa: ASYNC110  seldom
                    await asyncio.sleep(SETTLING)
        return self._listening

    def _stop_listening(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _take_waiting(self) -> None:
        """Accept those that wait; the kernel tells again while there are more."""
        if self._listening is None:
            return
        for _ in range(AT_ONCE):
            try:
                connection = self._take_one(self._listening)
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._wait(self._listening, error)
                return
            opening = self._loop.create_task(self._open(connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _take_one(self, listening: socket.socket) -> socket.socket:
        try:
            return listening.accept()[0]
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._reserve.lend():
                raise
            self._tell(error)
        return listening.accept()[0]

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: self._accept(self), connection)
        except OSError as error:
            connection.close()
            self._report("connection", error)

    def _wait(self, listening: socket.socket, error: OSError) -> None:
        """Nothing can be accepted now: those that wait are asked for again in a moment."""
        self._tell(error)
        self._loop.remove_reader(listening)
        self._later = self._loop.call_later(AGAIN, self._go_on)

    def _go_on(self) -> None:
        self._later = None
        if self._listening is not None:
            self._reserve.fill()
            self._loop.add_reader(self._listening, self._take_waiting)

    def _tell(self, error: OSError) -> None:
        now = self._loop.time()
        if now - self._told_at >= TOLD:
            self._told_at = now
            self._report("accept", error)

    async def wait_closed(self) -> None:
        """Return when every connection is gone."""
        if self.peers:
            await asyncio.wait([peer.closed for peer in self.peers])

    def admit(self, peer: Peer) -> None:
        """Let a connection ask; one that may not is told so, and closed."""
        self.peers.add(peer)
        peer.closed.add_done_callback(lambda _: self._forget(peer))
        who = peer.credentials
        if who is not None:
            self._users[who.uid] += 1
        if who is None:
            peer.reject(RpcError("usage", "this system does not tell who connects"))
        elif not self._allowed(who):
            peer.reject(RpcError("usage", f"user {who.uid} may not use this socket"))
        elif self._users[who.uid] > (most := self.totals.connections_of_one()):
            what = f"user {who.uid} has {most} connections already; close some"
            peer.reject(RpcError("limit", what))

    def is_slow(self, peer: Peer) -> None:
        """It does not read. Those that have not read for the longest go where all is too much."""
        self._slow[peer] = None
        while len(self._slow) > 1 and self._unsent() > self.totals.unsent:
            oldest = next(iter(self._slow))
            self.is_quick(oldest)
            oldest.cut_off(RpcError("limit", "it does not read its answers, and others wait"))

    def _unsent(self) -> int:
        return self.unsent.bytes + sum(each.buffered for each in self._slow)

    def is_quick(self, peer: Peer) -> None:
        self._slow.pop(peer, None)

    def hears_much(self, peer: Peer) -> None:
        """A large message of this connection is not complete yet."""
        if sum(each.unfinished for each in self.peers) > self.totals.unfinished:
            peer.reject(RpcError("limit", "too much is being sent at once; try again later"))

    def _forget(self, peer: Peer) -> None:
        self.peers.discard(peer)
        self.is_quick(peer)
        if peer.credentials is not None:
            self._users[peer.credentials.uid] -= 1
        self._loop.call_soon(self._refill)  # its descriptor is closed by then
        self._disconnected(peer)

    def _refill(self) -> None:
        if self._listening is not None:
            self._reserve.fill()


class _Accepted(Peer):
    """The server's end of a connection."""

    def __init__(self, server: Server, handler: Handler, limits: Limits, report: Report) -> None:
        super().__init__(
            handler,
            limits=limits,
            report=report,
            patient=True,
            queue=server.queue,
            rate=server.totals.rate,
            unsent=server.unsent,
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.admit(self)

    def reads_slowly(self, slow: bool) -> None:
        super().reads_slowly(slow)
        if slow:
            self._server.is_slow(self)
        else:
            self._server.is_quick(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.unfinished > LARGE:
            self._server.hears_much(self)


async def start_server(
    sock: socket.socket,
    handler: Handler,
    *,
    allowed: Callable[[Credentials], bool],
    limits: Limits | None = None,
    report: Report = keep_quiet,
    disconnected: Callable[[Peer], Any] = lambda _peer: None,
    totals: Totals | None = None,
) -> Server:
    """Answer on a listening Unix socket.

    `handler` runs once for each request and notification, in a task that is cancelled when the
    connection ends. `allowed` decides on each connection. `report` hears of exceptions that are
    no RpcError, and of connections that were broken off; `disconnected` of each that ended.
    """
    bounds = limits or HEARD
    server = Server(
        lambda server: _Accepted(server, handler, bounds, report),
        allowed,
        disconnected,
        report,
        totals,
    )
    server.listen(sock)
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
    patient: bool = False,
) -> Peer:
    """A connection to the process that listens at `path`.

    `handler` answers what the other end asks, `listener` takes its notifications (without one
    they go to the handler). Raises OSError; TimeoutError where the listener does not accept
    for `timeout` seconds. `patient`: as of a Peer.
    """
    async with asyncio.timeout(timeout):
        connected = await reach(path)
    return await talk_on(connected, handler, listener=listener, limits=limits, patient=patient)


async def talk_on(
    connected: socket.socket,
    handler: Handler = no_methods,
    *,
    listener: Listener | None = None,
    limits: Limits | None = None,
    patient: bool = False,
) -> Peer:
    """The same on a connection that there is already, which is the peer's from now on."""
    _, peer = await asyncio.get_running_loop().create_unix_connection(
        lambda: Peer(handler, listener=listener, limits=limits, patient=patient), sock=connected
    )
    return peer


async def reach(path: Path) -> socket.socket:
    """A connection to what listens there, whether or not it takes it yet. Raises OSError."""
    while True:
        try:
            return unix.connect(path)
        except BlockingIOError:
            await asyncio.sleep(_PAUSE)


class Reserve:
    """Holds up to `size` descriptors of nothing; each that is lent makes room for a connection."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: list[int] = []
        self.fill()

    def lend(self) -> bool:
        """Whether there is room for one more descriptor now; ask for it at once."""
        if not self._held:
            return False
        os.close(self._held.pop())
        return True

    def fill(self) -> None:
        """Hold as many again as there shall be, as far as there are any."""
        with contextlib.suppress(OSError):
            while len(self._held) < self._size:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def close(self) -> None:
        while self.lend():
            continue
