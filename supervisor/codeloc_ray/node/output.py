"""What a runner prints: kept on the node until the daemon has written it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from codeloc_ray.node.paths import StrippedOutput

KEPT_BYTES = 64 * 1024 * 1024
"""Of one stream. A runner that prints more than is taken waits, as at any pipe."""
READ_BYTES = 64 * 1024
PIECE_BYTES = 1024 * 1024
"""Told in one message."""
QUIET = 0.02
"""Seconds after which the beginning of what may be a path is passed on as it is."""


class OutputStream:
    """One stream: read from `descriptor`, counted from its beginning. `stirred` is called when
    there is more to tell."""

    def __init__(self, descriptor: int, root: str, stirred: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._stirred = stirred
        self._stripped = StrippedOutput(root)
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()
        self.most = KEPT_BYTES
        self._begin = 0
        self.told = 0
        self.ended = False
        self._end_told = False
        self._late: asyncio.TimerHandle | None = None
        os.set_blocking(descriptor, False)
        self._reading = False
        self._read_on()

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self._begin + len(self._kept)

    @property
    def is_told(self) -> bool:
        """Whether everything was told, its end included."""
        return self.ended and self._end_told

    def next(self) -> tuple[int, bytes] | None:
        """What has not been told yet, by its offset; b"" is the end. None for nothing."""
        if self.told < self.end:
            at = self.told
            data = bytes(self._kept[at - self._begin :][:PIECE_BYTES])
            self.told += len(data)
            return at, data
        if self.ended and not self._end_told:
            self._end_told = True
            return self.told, b""
        return None

    def heard(self, offset: int) -> None:
        """The daemon has written all before `offset`: it need not be kept."""
        drop = min(offset, self.end) - self._begin
        if drop > 0:
            del self._kept[:drop]
            self._begin += drop
            self._read_on()

    def again(self) -> None:
        """Another daemon listens: it is told all that was not heard."""
        self.told, self._end_told = self._begin, False

    def _read_on(self) -> None:
        if not self._reading and not self.ended and len(self._kept) < self.most:
            self._reading = True
            self._loop.add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if not data:
            self._keep(self._stripped.rest())
            self.finish()
            return
        self._keep(self._stripped.feed(data))
        if self._stripped.held:
            self._late = self._loop.call_later(QUIET, lambda: self._keep(self._stripped.rest()))
        if len(self._kept) >= self.most:
            self._pause()

    def finish(self) -> None:
        """Nothing more is read but what the pipe has already."""
        if not self.ended:
            self._pause()
            with contextlib.suppress(OSError):
                while data := os.read(self._descriptor, READ_BYTES):
                    self._keep(self._stripped.feed(data))
            self._keep(self._stripped.rest())
            self.ended = True
            os.close(self._descriptor)
            self._stirred()

    def _keep(self, data: bytes) -> None:
        if data:
            self._kept += data
            self._stirred()

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._descriptor)
