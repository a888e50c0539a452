"""What two ends of a connection have to say, and how to hear it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgpack

from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import pack
from codelocd.rpc.packed import Packed
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Limits

DEADLINE = 60.0


class World:
    """A server with some methods, and what became of them."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str]] = []
        self.told: list[Mapping[str, Any]] = []
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.peers: list[Peer] = []

    async def handle(self, peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        self.peers.append(peer)
        found = getattr(self, f"do_{method}", None)
        if found is None:
            raise RpcError("unknown", f"no method {method!r}", {"methods": ["echo"]})
        return await found(peer, **params)

    def report(self, where: str, error: Exception) -> None:
        self.reports.append((where, str(error)))

    async def do_echo(self, peer: Peer, value: Any = None) -> Any:
        return value

    async def do_large(self, peer: Peer) -> Any:
        return "x" * 1_000_000

    async def do_packed(self, peer: Peer, count: int) -> Packed:
        definitions = [{"n": n} for n in range(count)]
        return Packed.of({"revision": 1, "definitions": definitions}, Limits())

    shared = Packed(1, (pack("value") + pack("x" * 4_000_000),))

    async def do_shared(self, peer: Peer) -> Packed:
        """The same object for all who ask."""
        return self.shared

    async def do_whoami(self, peer: Peer) -> Any:
        who = peer.credentials
        assert who is not None
        return [who.pid, who.uid, who.gid]

    async def do_ask_back(self, peer: Peer) -> Any:
        return await peer.call("question", {"n": 1}, timeout=DEADLINE)

    async def do_hang(self, peer: Peer) -> Any:
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "released"

    async def do_break(self, peer: Peer, kind: str) -> Any:
        if kind == "bug":
            raise ZeroDivisionError("first line\nsecond line")
        if kind == "unpackable":
            return object()
        if kind == "unpackable error":
            raise RpcError("busy", "later", object())
        if kind == "huge":
            return "x" * 200_000
        raise asyncio.CancelledError

    async def do_tell(self, peer: Peer, **params: Any) -> None:
        self.told.append(params)

    async def do_flood(self, peer: Peer, events: int) -> str:
        for number in range(events):
            peer.notify("event", {"number": number, "filler": "x" * 1000})
        return "flooded"


def packed(message: Any) -> bytes:
    return cast("bytes", msgpack.packb(message))


async def messages(reader: asyncio.StreamReader, number: int) -> list[Any]:
    """The next messages."""
    unpacker = msgpack.Unpacker()
    found: list[Any] = []
    async with asyncio.timeout(DEADLINE):
        while len(found) < number:
            unpacker.feed(await reader.read(1 << 16))
            found += unpacker
    return found


async def everything(reader: asyncio.StreamReader) -> list[Any]:
    """All messages until the other end closes."""
    async with asyncio.timeout(DEADLINE):
        unpacker = msgpack.Unpacker()
        with contextlib.suppress(ConnectionResetError):
            while data := await reader.read(1 << 16):
                unpacker.feed(data)
        return list(unpacker)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.001)
