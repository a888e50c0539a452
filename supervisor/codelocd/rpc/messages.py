"""MessagePack-RPC messages: what may be in one, and one as bytes.

The shapes are those of
https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md; `params` holds at most one map.
"""

from __future__ import annotations

from msgpack import packb

from codelocd.rpc.errors import RpcError

TYPE_CHECKING = False
if TYPE_CHECKING:  # commands ask one question: `typing` would take longer than the answer
    from collections.abc import Mapping
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
