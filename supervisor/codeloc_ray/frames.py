"""Frames between the daemon and a runner, as far as the bridge looks into them."""

from __future__ import annotations

from typing import Any

import msgpack

from codeloc_ray.wire import packed

RESPONSE = 1
SMALL = 4096
"""Bytes of an answer that is looked at: those that say who serves are that small."""


def method_of(frame: bytes) -> str:
    """What a request asks for."""
    message = read(frame)
    return str(message[2]) if isinstance(message, list) and len(message) == 4 else ""


def answer_to(frame: bytes, result: Any) -> bytes:
    """A good answer, which the runner is not asked for."""
    return packed([RESPONSE, read(frame)[1], None, result])


def result_of(frame: bytes) -> dict[str, Any] | None:
    """What a good answer says, where that is small and a map."""
    message = read(frame) if len(frame) <= SMALL else None
    good = isinstance(message, list) and len(message) == 4 and message[2] is None
    return message[3] if good and isinstance(message[3], dict) else None  # type: ignore[index]


def read(frame: bytes) -> Any:
    """None for what is no MessagePack: a runner may say anything."""
    try:
        return msgpack.unpackb(
            frame, raw=False, strict_map_key=False, unicode_errors="surrogateescape"
        )
    except Exception:  # noqa: BLE001  see above
        return None
