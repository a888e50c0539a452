"""Results that are encoded on another thread, in pieces, so that none of them holds up the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codelocd.core.weight import HEAVY, weight
from codelocd.rpc.errors import RpcError
from codelocd.rpc.messages import excess, pack

if TYPE_CHECKING:
    from codelocd.rpc.requests import Limits

PIECE = 100
"""Values of a long list that are encoded in one go, where they are light."""

TEXT = 256 * 1024
"""Characters or bytes of a long one that are encoded in one go."""

PART = 4 * 1024 * 1024
"""Bytes of which more are not put together: to copy those takes a while, too."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A result that is a map, and is encoded already: `items` are its keys and values, in parts."""

    count: int
    items: tuple[bytes, ...]

    @classmethod
    def of(cls, result: Mapping[str, Any], limits: Limits) -> Packed:
        """On any thread; RpcError "limit" for what the other end would refuse."""
        wrong = excess(result, limits.depth - 2, limits.elements)
        if wrong is not None:
            raise RpcError("limit", f"a message {wrong}")
        parts, size = [], 0
        for part in _put_together(_items(result)):
            parts.append(part)
            size += len(part)
            if size > limits.message_bytes - 100:
                raise RpcError("limit", f"a message is larger than {limits.message_bytes} bytes")
        return cls(len(result), tuple(parts))

    def head(self, more: Mapping[str, Any]) -> bytes:
        """What comes before `items` in a map that has `more`, too."""
        count = self.count + len(more)
        inner = b"".join(pack(name) + pack(value) for name, value in more.items())
        return pack(dict.fromkeys(range(count)))[: 1 if count < 16 else 3] + inner


def _put_together(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PART:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _items(values: Mapping[Any, Any]) -> Iterator[bytes]:
    for name, value in values.items():
        yield from _pieces(name)
        yield from _pieces(value)


def _pieces(value: Any) -> Iterator[bytes]:
    """A value, encoded in pieces none of which takes more than some milliseconds."""
    if weight(value) < HEAVY:
        yield pack(value)
    elif type(value) is str:
        yield from _text(value)
    elif type(value) is bytes:
        yield b"\xc6" + len(value).to_bytes(4, "big")
        yield value
    elif type(value) is dict:
        yield b"\xdf" + len(value).to_bytes(4, "big")
        yield from _items(value)
    else:
        yield b"\xdd" + len(value).to_bytes(4, "big")
        for begin in range(0, len(value), PIECE):
            yield from _some(value[begin : begin + PIECE])


def _some(values: Any) -> Iterator[bytes]:
    if weight(values) < HEAVY:
        yield pack(values)[1 if len(values) < 16 else 3 :]
        return
    for value in values:
        yield from _pieces(value)


def _text(value: str) -> Iterator[bytes]:
    pieces = [pack(value[at : at + TEXT]) for at in range(0, len(value), TEXT)]
    bodies = [piece[_head(piece) :] for piece in pieces]
    yield b"\xdb" + sum(map(len, bodies)).to_bytes(4, "big")
    yield from bodies


def _head(packed: bytes) -> int:
    """Bytes before those of a text."""
    return {0xD9: 2, 0xDA: 3, 0xDB: 5}.get(packed[0], 1)
