"""Calls to a runner on a node, each as one frame that nothing on the way takes apart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from codelocd.rpc.errors import RpcError, received
from codelocd.rpc.messages import IDS, Decoder, Malformed, request
from codelocd.rpc.requests import HEARD

Carry: TypeAlias = Callable[[bytes, float | None], Awaitable[bytes]]
"""Brings a frame to the runner, and its answer back, within so many seconds; raises RpcError."""

LATE = 5.0
"""Seconds that the bridge has beyond a call's own, to say that it took too long."""


class FrameConnection:
    """A connection to one runner, for as long as it lives. What the runner answers is judged here,
    by the bounds that a runner on this machine has, so that it costs no more than its own call.
    """

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._last = 0

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Any:
        """Raises RpcError."""
        self._last = (self._last + 1) % IDS
        frame = HEARD.encode(request(self._last, method, params))
        try:
            async with asyncio.timeout(None if timeout is None else timeout + LATE):
                answer = await self._carry(frame, timeout)
        except TimeoutError:
            raise RpcError("timeout", f"no answer to {method} within {timeout:g} s") from None
        return _result(answer)


def _result(frame: bytes) -> Any:
    """What one response says. Raises RpcError."""
    decoder = Decoder(HEARD.message_bytes, HEARD.depth, HEARD.most_heard)
    try:
        messages = list(decoder.feed(frame))
    except Malformed as malformed:
        raise malformed.error from None
    if len(messages) != 1 or decoder.unfinished or messages[0][0] != 1:
        raise RpcError("protocol", "the answer is no response")
    _, _, error, result = messages[0]
    if error is not None:
        raise received(error)
    return result
