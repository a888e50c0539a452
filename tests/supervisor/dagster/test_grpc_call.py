"""The few gRPC calls, to servers of every kind."""

from __future__ import annotations

import asyncio
import gzip
import struct
from pathlib import Path

import pytest

from codelocd.dagster.grpc import CallFailed, call


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def message(text: str, *, compressed: bool = False) -> bytes:
    data = text.encode()
    length = (
        bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    )
    body = b"\x0a" + length + data
    body = gzip.compress(body) if compressed else body
    return struct.pack(">BI", compressed, len(body)) + body


@pytest.fixture
async def server(tmp_path):
    """`await server(*frames)`: its path, and a list that fills with what it is sent."""
    servers = []
    received: list[bytes] = []

    async def serve(*frames: bytes) -> tuple[Path, list[bytes]]:
        async def answer(reader, writer):
            received.append(await reader.read(65536))
            writer.write(b"".join(frames))
            await writer.drain()
            writer.close()

        path = tmp_path / "s"
        servers.append(await asyncio.start_unix_server(answer, str(path)))
        return path, received

    yield serve
    for each in servers:
        each.close()


SETTINGS, END = frame(4, 0, b"", 0), frame(1, 5, b"")


async def test_a_call_sends_one_string_and_gets_one_back(server):
    path, received = await server(SETTINGS, frame(1, 4, b""), frame(0, 0, message("hi")), END)
    assert await call(path, "Ping", "hello", timeout=60) == "hi"
    assert received[0].startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/api.DagsterApi/Ping" in received[0]
    assert received[0].endswith(b"\x0a\x05hello")


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_long_answer_in_several_frames_is_put_together(server, compressed):
    body = message("long " * 100, compressed=compressed)
    path, _ = await server(SETTINGS, frame(0, 0, body[:20]), frame(0, 0, body[20:]), END)
    assert await call(path, "GetCurrentRuns", timeout=60) == "long " * 100


@pytest.mark.parametrize(
    "frames",
    [
        (SETTINGS, END),
        (frame(7, 0, b"\0" * 8, 0),),
        (frame(3, 0, b"\0" * 4),),
        (SETTINGS,),
        (b"junk",),
    ],
    ids=["an error", "go away", "reset", "closed", "no HTTP/2"],
)
async def test_whatever_is_no_answer_is_a_failed_call(server, frames):
    path, _ = await server(*frames)
    with pytest.raises(CallFailed, match="Ping at"):
        await call(path, "Ping", timeout=60)


async def test_a_server_that_is_not_there_is_a_failed_call(tmp_path):
    with pytest.raises(CallFailed):
        await call(tmp_path / "nobody", "Ping", timeout=60)


async def test_a_server_that_says_nothing_is_given_up(tmp_path):
    async def silent(reader, _writer):
        await reader.read()

    path = tmp_path / "s"
    async with await asyncio.start_unix_server(silent, str(path)):
        with pytest.raises(CallFailed):
            await call(path, "Ping", timeout=0.05)
