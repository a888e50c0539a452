"""From bytes as they arrive to checked messages, within bounds."""

from __future__ import annotations

from msgpack import Unpacker
from msgpack.exceptions import BufferFull, StackError

from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import DEPTH, ELEMENTS, MESSAGE_BYTES, check, excess, known_id

TYPE_CHECKING = False
if TYPE_CHECKING:  # commands ask one question: `typing` would take longer than the answer
    from collections.abc import Iterator
    from typing import Any

    from codelocd.rpc.messages import Message

_CHUNK = 1024 * 1024
"""More than is ever read at once."""

_BUFFER = 16 * 1024
"""Bytes that an unpacker begins with; by itself it takes a whole MiB for every connection."""

_HEAD = 7
"""Bytes of a request up to and including its id: array, type, 32-bit number."""


class Malformed(Exception):
    """What arrived breaks a bound or is no message; `msgid` is the request's, where known."""

    def __init__(self, error: RpcError, msgid: int | None) -> None:
        super().__init__(error.message)
        self.error = error
        self.msgid = msgid


class Decoder:
    """One direction of a connection. After Malformed it is of no further use."""

    def __init__(
        self, message_bytes: int = MESSAGE_BYTES, depth: int = DEPTH, elements: int = ELEMENTS
    ) -> None:
        self._message_bytes = message_bytes
        self._depth = depth
        self._elements = elements
        self._renew()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with `data`; raises Malformed after the good ones."""
        if self._fed == self._begin:
            self._head = data[:_HEAD]
        self._fed += len(data)
        try:
            self._unpacker.feed(data)
            for message in self._unpacker:
                self._admit(message, data)
                yield message
            self._bound(self._fed)
        except RpcError as error:
            raise Malformed(error, _id_in(self._head)) from None
        except (ValueError, TypeError, MemoryError, BufferFull) as error:
            raise Malformed(_explained(error), _id_in(self._head)) from None
        if self._begin == self._fed > _CHUNK:
            self._renew()

    def _renew(self) -> None:
        """Begin anew between two messages: an unpacker never gives its buffer back."""
        self._unpacker = Unpacker(
            use_list=True,
            raw=False,
            strict_map_key=False,
            unicode_errors="surrogateescape",
            timestamp=1,
            ext_hook=_no_extension,
            list_hook=self._count,
            object_hook=self._count,
            read_size=_BUFFER,
            max_buffer_size=self._message_bytes + _CHUNK,
            max_array_len=self._elements,
            max_map_len=self._elements,
        )
        self._fed = self._begin = self._counted = 0
        self._head = b""

    def _admit(self, message: Any, data: bytes) -> None:
        end = self._unpacker.tell()
        self._bound(end)
        if end - self._begin > self._depth:
            wrong = excess(message, self._depth, self._elements)
            if wrong is not None:
                raise RpcError("limit", f"a message {wrong}")
        check(message)
        self._begin, self._counted = end, 0
        rest = len(data) - (self._fed - end)
        self._head = data[rest : rest + _HEAD]

    def _bound(self, end: int) -> None:
        if end - self._begin > self._message_bytes:
            raise RpcError("limit", f"a message is larger than {self._message_bytes} bytes")

    def _count(self, container: Any) -> Any:
        """Small values take up to eighty times their size on the wire, so these have a bound."""
        self._counted += len(container)
        if self._counted > self._elements:
            raise RpcError("limit", f"a message has more than {self._elements} elements")
        return container


def _no_extension(code: int, _data: bytes) -> Any:
    raise RpcError("protocol", f"MessagePack extension type {code} has no meaning here")


def _explained(error: Exception) -> RpcError:
    if isinstance(error, StackError):
        return RpcError("limit", "a message is nested too deep")
    if isinstance(error, BufferFull | MemoryError) or "exceeds max_" in str(error):
        return RpcError("limit", f"a message is too large: {error or type(error).__name__}")
    return RpcError("protocol", f"not MessagePack: {error or type(error).__name__}")


def _id_in(head: bytes) -> int | None:
    """The id of the request that begins with these bytes."""
    unpacker = Unpacker(max_buffer_size=_HEAD)
    unpacker.feed(head)
    try:
        unpacker.read_array_header()
        return known_id([unpacker.unpack(), unpacker.unpack()])
    except Exception:  # noqa: BLE001 any bytes may come here, and none of them has an id
        return None
