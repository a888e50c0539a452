"""What bytes of anybody may do to this end of a connection: nothing but end it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from codelocd.rpc.errors import KINDS, RpcError
from codelocd.rpc.messages import Decoder, Malformed, check, excess
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import Limits

LIMITS = Limits(message_bytes=4096, in_flight=8, depth=16, elements=256, heard_elements=256)


def decode(data: bytes, cut: int) -> None:
    """However bytes are cut, each message is one, within its bounds, and only Malformed comes."""
    decoder = Decoder(LIMITS.message_bytes, LIMITS.depth, LIMITS.elements)
    try:
        for piece in (data[:cut], data[cut:]):
            for message in decoder.feed(piece):
                check(message)
                assert excess(message, LIMITS.depth, LIMITS.elements) is None
    except Malformed as malformed:
        found = malformed
    else:
        return
    assert found.error.kind in ("limit", "protocol")
    assert found.msgid is None or 0 <= found.msgid < 1 << 32


class Wire(asyncio.Transport):
    """Takes what a peer sends, and never has any of it to send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def dispatch(data: bytes, cut: int) -> None:
    """Each request gets one answer; whatever ends the connection is told of once."""
    wire, asked = Wire(), list[str]()

    async def answer(_peer: Peer, method: str, params: Mapping[str, Any]) -> Any:
        asked.append(method)
        if "wrong" in params:
            raise RpcError("usage", method, dict(params))
        return params

    reports: list[Exception] = []
    peer = Peer(
        answer, limits=LIMITS, report=lambda _where, error: reports.append(error), patient=True
    )
    peer.connection_made(wire)
    for piece in (data[:cut], data[cut:]):
        if piece and not wire.closed:
            peer.data_received(piece)
    for _ in range(20):
        await asyncio.sleep(0)
    peer.connection_lost(None)
    await asyncio.sleep(0)
    assert all(isinstance(error, RpcError) for error in reports), reports
    said = list(Decoder().feed(bytes(wire.sent)))
    failed = [message[2]["kind"] for message in said if message[0] == 1 and message[2] is not None]
    assert {*failed} <= {*KINDS} - {"internal"}, failed
    assert sum(message[0] == 2 for message in said) <= 1
