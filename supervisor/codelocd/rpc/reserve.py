"""Descriptors kept back, so that connections can be accepted when there are no others left."""

from __future__ import annotations

import contextlib
import os


class Reserve:
    """Holds up to `size` descriptors of nothing; each that is lent makes room for a connection."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: list[int] = []
        self.fill()

    def lend(self) -> bool:
        """Whether there is room for one more descriptor now; ask for it at once."""
        if not self._held:
            return False
        os.close(self._held.pop())
        return True

    def fill(self) -> None:
        """Hold as many again as there shall be, as far as there are any."""
        with contextlib.suppress(OSError):
            while len(self._held) < self._size:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def close(self) -> None:
        while self.lend():
            continue
