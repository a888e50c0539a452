"""How much one connection may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import DEPTH, ELEMENTS, MESSAGE_BYTES, excess, pack

if TYPE_CHECKING:
    from codelocd.rpc.messages import Message


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection, the same for both directions.

    `message_bytes`: of one encoded message. `in_flight`: requests that wait for an answer.
    `depth`: arrays and maps within each other. `elements`: values in one message.
    """

    message_bytes: int = MESSAGE_BYTES
    in_flight: int = 1024
    depth: int = DEPTH
    elements: int = ELEMENTS

    def encode(self, message: Message) -> bytes:
        """The bytes of a message; RpcError "limit" for one that the other end would refuse."""
        encoded = pack(message)
        if len(encoded) > self.message_bytes:
            raise RpcError("limit", f"a message is larger than {self.message_bytes} bytes")
        if len(encoded) > min(self.depth, self.elements):
            wrong = excess(message, self.depth, self.elements)
            if wrong is not None:
                raise RpcError("limit", f"a message {wrong}")
        return encoded
