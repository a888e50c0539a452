"""MessagePack-RPC messages: their shapes and bounds, to bytes and from bytes.

The shapes are those of
https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md; `params` holds at most one map.
"""

from __future__ import annotations

from msgpack import Unpacker, packb
from msgpack.exceptions import BufferFull, StackError

from codelocd.rpc.errors import RpcError

TYPE_CHECKING = False
if TYPE_CHECKING:  # commands ask one question: `typing` would take longer than the answer
    from collections.abc import Iterator, Mapping
    from typing import Any, TypeAlias

    Message: TypeAlias = list[Any]

REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2

MESSAGE_BYTES = 64 * 1024 * 1024
DEPTH = 256
ELEMENTS = 4 * 1024 * 1024
_CONTAINERS = frozenset((dict, list, tuple))

FAREWELL = "error"
"""The notification that tells why a connection ends where no request can be answered."""

EVENT = "event"
"""The notification of a subscription."""

IDS = 1 << 32
"""Message ids are unsigned 32-bit numbers."""


def request(msgid: int, method: str, params: Mapping[str, Any] | None) -> Message:
    return [REQUEST, msgid, method, _one_map(params)]


def response(msgid: int, result: Any) -> Message:
    return [RESPONSE, msgid, None, result]


def failure(msgid: int, error: RpcError) -> Message:
    return [RESPONSE, msgid, error.document(), None]


def notification(method: str, params: Mapping[str, Any] | None) -> Message:
    return [NOTIFICATION, method, _one_map(params)]


def pack(value: Any) -> bytes:
    """`value` as MessagePack; what came in as invalid UTF-8 leaves as the same bytes.

    Raises TypeError, ValueError or OverflowError for what MessagePack cannot express.
    """
    packed: Any  # msgpack has no types
    try:
        packed = packb(value, unicode_errors="surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, which stands for no bytes
        packed = packb(value, unicode_errors="backslashreplace")
    return bytes(packed)


def check(message: Any) -> None:
    """Raises RpcError "protocol" for what is no message of MessagePack-RPC."""
    wrong = _wrong(message)
    if wrong is not None:
        raise RpcError("protocol", f"not MessagePack-RPC: {wrong}")


def parameters(params: list[Any]) -> dict[str, Any]:
    """The one map of `params`; RpcError "usage" for anything else in it."""
    if not params:
        return {}
    named = params[0]
    if len(params) > 1 or type(named) is not dict or not all(type(key) is str for key in named):
        raise RpcError("usage", "params must be an array with at most one map of names to values")
    return named


def known_id(message: Any) -> int | None:
    """The id of a request, however wrong the rest of it may be."""
    if type(message) is list and len(message) > 1 and message[0] == REQUEST:
        return None if _wrong_id(message[1]) else message[1]
    return None


def excess(value: Any, depth: int, elements: int) -> str | None:
    """Which bound `value` exceeds: arrays and maps within each other, values in all."""
    level, counted = [value], 0
    for _ in range(depth + 1):
        level = [
            inner for outer in level for inner in (outer.values() if type(outer) is dict else outer)
        ]
        counted += len(level)
        if counted > elements:
            return f"has more than {elements} elements"
        level = [inner for inner in level if type(inner) in _CONTAINERS]
        if not level:
            return None
    return f"is nested more than {depth} levels deep"


def _wrong(message: Any) -> str | None:
    if type(message) is not list or not message or type(message[0]) is not int:
        return "a message is an array that begins with 0, 1 or 2"
    match message[0]:
        case 0 if len(message) == 4:
            return _wrong_id(message[1]) or _wrong_call(message[2], message[3])
        case 1 if len(message) == 4:
            return _wrong_id(message[1])
        case 2 if len(message) == 3:
            return _wrong_call(message[1], message[2])
    return "expected [0, id, method, params], [1, id, error, result] or [2, method, params]"


def _wrong_id(msgid: Any) -> str | None:
    good = type(msgid) is int and 0 <= msgid < IDS
    return None if good else "the id must be an integer from 0 to 4294967295"


def _wrong_call(method: Any, params: Any) -> str | None:
    if type(method) is not str:
        return "the method must be a string"
    return None if type(params) is list else "params must be an array"


def _one_map(params: Mapping[str, Any] | None) -> list[Any]:
    return [dict(params)] if params else []


# --- from bytes ---------------------------------------------------------------------------------

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
        self,
        message_bytes: int = MESSAGE_BYTES,
        depth: int = DEPTH,
        elements: int = ELEMENTS,
        text_bytes: int = MESSAGE_BYTES,
    ) -> None:
        self._message_bytes = message_bytes
        self._text_bytes = text_bytes
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

    @property
    def unfinished(self) -> int:
        """Bytes of a message that is not complete."""
        return self._fed - self._begin

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
            max_buffer_size=min(self._message_bytes, self._text_bytes) + _CHUNK,
            max_str_len=self._text_bytes,
            max_bin_len=self._text_bytes,
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
