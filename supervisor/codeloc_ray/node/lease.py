"""The fence: a host that has not reached the cluster's head for too long ends its runner.

The lease is a counter in the head's own table. A process that sees it stand still knows when the
runner is gone at the latest: a renewal counts here from when it was asked for, there from when it
was seen.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

RENEWALS = 10
"""In the time of the fence."""
WATCH_SECONDS = 0.2


def now() -> float:
    """Seconds that pass also while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HeadLease:
    """Renewed by a thread; another one, which waits for nothing, ends this process in time."""

    def __init__(self, put: Callable[[bytes], None], fence: float, end: Callable[[], None]) -> None:
        """`put` writes the counter into the head's table, however long that takes; raises what it
        likes. `end` ends the runner at once."""
        self._put = put
        self._fence = fence
        self._end = end
        self._renewed = now()
        self._over = False

    @property
    def left(self) -> float:
        """Seconds until the fence falls."""
        return self._renewed + self._fence - now()

    def begin(self) -> None:
        """From now on: before there is a runner, nothing has to be fenced."""
        self._renewed = now()
        for work in (self._renew, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def release(self) -> None:
        """There is no runner any more to be fenced."""
        self._over = True

    def _renew(self) -> None:
        count = 0
        while not self._over:
            asked = now()
            count += 1
            try:
                self._put(str(count).encode())
            except Exception:  # noqa: BLE001, S110  the head is away: the other thread counts
                pass
            else:
                self._renewed = max(self._renewed, asked)
            time.sleep(self._fence / RENEWALS)

    def _watch(self) -> None:
        """A suspended machine does not count: its clock goes on, and the fence has fallen when it
        wakes up."""
        while not self._over:
            if self.left <= 0:
                self._end()
                os._exit(3)
            time.sleep(WATCH_SECONDS)
