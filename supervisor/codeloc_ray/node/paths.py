"""The user's own paths: a tree's folder is taken out of whatever a runner says."""

from __future__ import annotations

import json
from typing import Any

import msgpack

RESPONSE = 1


class Stripped:
    """`root` is the folder that stands before the user's paths on this node; "" for none."""

    def __init__(self, root: str) -> None:
        plain = root.encode(errors="surrogateescape")
        escaped = json.dumps(root)[1:-1].encode()
        self._texts = (root,) if root else ()
        self._bytes = tuple(dict.fromkeys((plain, escaped))) if root else ()
        self._held = b""

    def value(self, value: Any) -> Any:
        """The same with paths of the user's: strings, what is encoded as bytes, and keys."""
        if isinstance(value, str):
            for root in self._texts:
                value = value.replace(root, "")
            return value
        if isinstance(value, bytes):
            return self.data(value)
        if isinstance(value, dict):
            return {self.value(key): self.value(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each) for each in value]
        return value

    def data(self, data: bytes) -> bytes:
        for root in self._bytes:
            data = data.replace(root, b"")
        return data

    def frame(self, frame: bytes) -> bytes:
        """A runner's answer; one that cannot be read is the daemon's to judge."""
        if not any(root in frame for root in self._bytes):
            return frame
        try:
            message = msgpack.unpackb(
                frame, raw=False, strict_map_key=False, unicode_errors="surrogateescape"
            )
            packed = msgpack.packb(self.value(message), unicode_errors="surrogateescape")
        except Exception:  # noqa: BLE001  a runner may say anything
            return frame
        return bytes(packed or b"")


class StrippedOutput:
    """The same for a stream, of which pieces come: what may be the beginning of a path is held
    back until more comes."""

    def __init__(self, root: str) -> None:
        self._root = root.encode(errors="surrogateescape")
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on by now."""
        if not self._root:
            return data
        data = (self.held + data).replace(self._root, b"")
        keep = self._beginning(data)
        self.held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def rest(self) -> bytes:
        """What was held back: nothing follows for now."""
        held, self.held = self.held, b""
        return held

    def _beginning(self, data: bytes) -> int:
        """How many bytes of the end of `data` are the beginning of the folder's path."""
        for length in range(min(len(data), len(self._root) - 1), 0, -1):
            if data.endswith(self._root[:length]):
                return length
        return 0
