"""Connections from this end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from codelocd import unix
from codelocd.rpc.limits import Limits
from codelocd.rpc.peer import Handler, Listener, Peer, no_methods

_PAUSE = 0.01
"""Seconds between tries while the listener's queue is full: Linux has no event for it."""


async def connect(
    path: Path,
    handler: Handler = no_methods,
    *,
    listener: Listener | None = None,
    limits: Limits | None = None,
    timeout: float = 10.0,
) -> Peer:
    """A connection to whoever listens at `path`.

    `handler` answers what the other end asks, `listener` takes its notifications (without one
    they go to the handler). Raises OSError; TimeoutError where the listener accepts nobody for
    `timeout` seconds.
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
