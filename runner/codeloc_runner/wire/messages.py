"""MessagePack-RPC messages of one connection: bytes in, requests out; answers as bytes."""

from __future__ import annotations

from .._msgpack import Packer, Unpacker  # pyright: ignore[reportMissingModuleSource]  # see there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, Optional


MESSAGE_BYTES = 64 * 1024 * 1024
REQUEST, RESPONSE, NOTIFICATION = 0, 1, 2


class BadMessage(Exception):
    """Not MessagePack-RPC, or beyond a bound: the connection cannot go on."""


class CallError(Exception):
    """An answer that is an error; `kind` is one of the contract's."""

    def __init__(self, kind: str, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.data = data


class Call:
    """One call: `params` is its map, empty where there is none."""

    __slots__ = ("id", "method", "params")

    def __init__(self, number: int, method: str, params: Dict[str, Any]) -> None:
        self.id = number
        self.method = method
        self.params = params


class CallReader:
    """The requests in a stream of bytes. The depth of nesting is bounded by the recursion limit."""

    __slots__ = ("_unpacker",)

    def __init__(self) -> None:
        self._unpacker = Unpacker(max_buffer_size=MESSAGE_BYTES)

    def feed(self, data: bytes) -> Iterator[Call]:
        """Every request that is complete by now. Raises BadMessage."""
        try:
            self._unpacker.feed(data)
            for message in self._unpacker:
                request = parse(message)
                if request is not None:
                    yield request
        except BadMessage:
            raise
        except Exception as error:
            raise BadMessage(str(error)) from error


def parse(message: Any) -> Optional[Call]:
    """The request, or None for a notification, which no runner acts on. Raises BadMessage."""
    if not isinstance(message, list) or not message:
        raise BadMessage("a message is an array")
    if message[0] == NOTIFICATION and len(message) == 3:
        return None
    if message[0] != REQUEST or len(message) != 4:
        raise BadMessage("neither a request nor a notification")
    _, number, method, params = message
    if type(number) is not int or not isinstance(method, str) or not isinstance(params, list):
        raise BadMessage("a request is [0, number, method, params]")
    if len(params) > 1 or not all(isinstance(one, dict) for one in params):
        raise BadMessage("params is an array of at most one map")
    return Call(number, method, params[0] if params else {})


def result(number: int, value: Any) -> bytes:
    return packed([RESPONSE, number, None, value])


def failure(number: int, error: CallError) -> bytes:
    told = {"kind": error.kind, "message": error.message, "data": error.data}
    return packed([RESPONSE, number, told, None])


def packed(message: Any) -> bytes:
    """A path that is not UTF-8 leaves as the bytes that it is."""
    try:
        return Packer(unicode_errors="surrogateescape").pack(message)
    except UnicodeEncodeError:  # half of a surrogate pair, which stands for no bytes
        return Packer(unicode_errors="backslashreplace").pack(message)
