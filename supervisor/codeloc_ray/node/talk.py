"""What is asked of a runner: frames to its socket, and its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgpack

from codeloc_ray.errors import EngineError

RECONNECTS = 50
PAUSE = 0.02
READ_BYTES = 256 * 1024
FRAME_BYTES = 64 * 1024 * 1024 + 64 * 1024


async def answered(
    path: str, frame: bytes, timeout: float | None, ended: Callable[[], bool]
) -> bytes:
    """The answer to one request, on a connection of its own: user code may close any of them.

    `ended`: whether the runner is gone. Raises EngineError: `down` where it went away meanwhile, so
    that nothing tells what became of the request; `timeout`; `limit`.
    """
    try:
        return await asyncio.wait_for(_exchange(path, frame, ended), timeout)
    except TimeoutError:
        raise EngineError("timeout", f"no answer within {timeout:g} s") from None


async def _exchange(path: str, frame: bytes, ended: Callable[[], bool]) -> bytes:
    reader, writer = await _connected(path, ended)
    unpacker = msgpack.Unpacker(max_buffer_size=FRAME_BYTES + READ_BYTES)
    pieces: list[bytes] = []
    try:
        writer.write(frame)
        await writer.drain()
        while data := await reader.read(READ_BYTES):
            pieces.append(data)
            unpacker.feed(data)
            if _is_complete(unpacker):
                return b"".join(pieces)[: unpacker.tell()]
    except OSError:
        pass
    except msgpack.BufferFull:
        raise EngineError(
            "limit", f"the runner's answer is larger than {FRAME_BYTES} bytes"
        ) from None
    finally:
        writer.close()
    raise EngineError("down", "the runner closed the connection before it answered")


def _is_complete(unpacker: Any) -> bool:
    try:
        unpacker.skip()
    except msgpack.OutOfData:
        return False
    return True


async def _connected(
    path: str, ended: Callable[[], bool]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for _ in range(RECONNECTS):
        if ended():
            break
        try:
            return await asyncio.open_unix_connection(path, limit=READ_BYTES)
        except OSError:
            await asyncio.sleep(PAUSE)
    raise EngineError("down", "the runner is gone")


def method_of(frame: bytes) -> str:
    """What a request asks for."""
    try:
        return str(msgpack.unpackb(frame, raw=False, unicode_errors="surrogateescape")[2])
    except Exception:  # noqa: BLE001  it is passed on as it is
        return ""


def result_of(frame: bytes) -> Any:
    """What a good answer says; None for any other."""
    try:
        _, _, error, result = msgpack.unpackb(frame, raw=False, unicode_errors="surrogateescape")
    except Exception:  # noqa: BLE001  a runner may say anything
        return None
    return None if error is not None else result
