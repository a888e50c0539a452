"""Tells what happens while it happens: a JSON object a line, on a pipe that nothing waits for.

What is called after user code is bound before: that may have replaced `os.write`.
"""

from __future__ import annotations

import os
from os import close, fstat, write
from time import time

from ..serving import identity
from ..wire.json_values import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Optional


LONGEST = 32 * 1024
"""Bytes of one line; the result has what is left out of a longer one."""


class EventPipe:
    """A pipe that is full loses events, which are counted; one that is broken, all that follow."""

    __slots__ = ("_descriptor", "_identity", "_rest", "_untold", "dropped")

    def __init__(self, descriptor: Optional[int]) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._untold = 0
        self.dropped = 0
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            os.set_blocking(descriptor, False)
            self._identity = identity(os.fstat(descriptor))
            os.register_at_fork(after_in_child=self.close)

    def tell(self, event: str, **facts: Any) -> None:
        if self._descriptor is None:
            return
        line = line_of(event, facts)
        if len(line) > LONGEST:
            line = line_of(event, {**facts, "metadata": {}, "summary": None, "cut": True})
        if self._flush():
            if self._untold:
                line = line_of("dropped", {"count": self._untold}) + line
            self._rest = line
            self._flush()
            if len(self._rest) < len(line):  # what has begun is kept to its end
                self._untold = 0
                return
            self._rest = b""
        self.dropped += 1
        self._untold += 1

    def _flush(self) -> bool:
        """Whether there is room: all that was to be written is."""
        try:
            while self._rest and self._is_ours():
                self._rest = self._rest[write(self._descriptor or 0, self._rest) :]
        except BlockingIOError:
            return False
        except OSError:  # the other end is closed
            self._descriptor = None
        if self._descriptor is None:
            self._rest = b""
        return True

    def _is_ours(self) -> bool:
        """Whether user code has left the descriptor as it was; else it is given up."""
        if self._descriptor is None:
            return False
        try:
            if identity(fstat(self._descriptor)) == self._identity:
                return True
        except OSError:
            pass  # it is closed
        self._descriptor = None
        return False

    def close(self) -> None:
        if self._is_ours() and self._descriptor is not None:
            close(self._descriptor)
        self._descriptor = None


def line_of(event: str, facts: Mapping[str, Any]) -> bytes:
    return dumps({"event": event, "at": time(), **facts}).encode() + b"\n"
