"""Servers, clients, and clients that follow no rules."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from codelocd.rpc import unix
from codelocd.rpc.peer import Peer
from codelocd.rpc.server import Server, open_peer, start_server
from tests.supervisor.rpc.world import DEADLINE, World

Start = Callable[..., Awaitable[Server]]


@pytest.fixture
async def serve(tmp_path: Path, world: World) -> AsyncIterator[Start]:
    path = tmp_path / "s"
    servers: list[Server] = []

    async def start(**options: Any) -> Server:
        options = {"allowed": lambda _who: True, "report": world.report, **options}
        servers.append(await start_server(unix.listen(path), world.handle, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
        async with asyncio.timeout(DEADLINE):
            await server.wait_closed()


@pytest.fixture
async def dial(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    opened: list[Peer] = []

    async def connect(*arguments: Any, **options: Any) -> Peer:
        opened.append(await open_peer(tmp_path / "s", *arguments, **options))
        return opened[-1]

    yield connect
    for peer in opened:
        peer.close()
        async with asyncio.timeout(DEADLINE):
            await peer.closed


@pytest.fixture
def raw(tmp_path: Path):
    """A connection of a client that follows no rules."""
    with contextlib.ExitStack() as stack:

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            stack.callback(writer.close)
            return reader, writer

        yield connect


@pytest.fixture
async def world() -> World:
    return World()
