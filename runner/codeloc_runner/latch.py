"""An event that happens once. `threading` is user code's to patch, and costs milliseconds."""

from __future__ import annotations

from _thread import allocate_lock


class Latch:
    """Closed until `open`; waiting for it costs nothing until then."""

    __slots__ = ("_lock", "is_open")

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()
        self.is_open = False

    def open(self) -> None:
        self.is_open = True
        self._lock.release()

    def wait(self, seconds: float = -1) -> bool:
        """Whether it opened within `seconds`; without them it waits for ever."""
        opened = self._lock.acquire(timeout=seconds)
        if opened:
            self._lock.release()
        return opened
