"""One unary gRPC call over a Unix socket: the few that a code server is asked.

Enough of HTTP/2 (RFC 9113) and of gRPC's mapping on it for small messages, so that the daemon
carries no gRPC library and starts no interpreter only to ask whether a server is there.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

SERVICE = "/api.DagsterApi/"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS = 0x1, 0x1, 0x4
_STREAM = 1
_LIMIT = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


class CallFailed(Exception):
    """The server is not there, or answered with an error."""


async def call(path: Path, method: str, text: str = "", *, timeout: float) -> str:
    """Call `method` of Dagster's API with one string, or nothing; its one string back.

    Every message used here has at most one field, a string of number 1. Raises CallFailed.
    """
    try:
        async with asyncio.timeout(timeout):
            return _text(await _exchange(path, method, _message(text)))
    except (OSError, EOFError, TimeoutError) as failure:
        raise CallFailed(f"{method} at {path}: {failure or type(failure).__name__}") from failure


async def _exchange(path: Path, method: str, message: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        body = struct.pack(">BI", 0, len(message)) + message
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        writer.write(_frame(_HEADERS, _END_HEADERS, _STREAM, b"".join(_headers(method))))
        writer.write(_frame(_DATA, _END_STREAM, _STREAM, body))
        return await _answer(reader, writer)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    data = b""
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        payload = await reader.readexactly(length)
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            writer.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _DATA:
            data += payload
        elif kind in (_RST_STREAM, _GOAWAY):
            raise EOFError("the server refused")
        if len(data) > _LIMIT:
            raise EOFError("the answer is too long")
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            break
    if len(data) < 5:
        raise EOFError("the server answered with an error")
    return _inflated(data[5:]) if data[0] else data[5:]


def _inflated(data: bytes) -> bytes:
    """Dagster's server uses gzip whatever its client says; never more than the limit."""
    try:
        return zlib.decompressobj(_GZIP).decompress(data, _LIMIT)
    except zlib.error as failure:
        raise EOFError("the answer is garbled") from failure


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _headers(method: str) -> Iterator[bytes]:
    """Literals without indexing and without Huffman codes (RFC 7541, 6.2.2)."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": SERVICE + method,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    for name, value in fields.items():
        yield b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _message(text: str) -> bytes:
    data = text.encode()
    return b"\x0a" + _varint(len(data)) + data if data else b""


def _text(message: bytes) -> str:
    """The string of field 1; "" where it is left out, as Protobuf does with an empty one."""
    if message[:1] != b"\x0a":
        return ""
    length = shift = 0
    for count, byte in enumerate(message[1:], start=2):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return message[count : count + length].decode(errors="replace")
    return ""


def _varint(number: int) -> bytes:
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])
