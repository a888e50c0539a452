"""The fence: a host that has not reached the cluster's head for too long ends its runner.

So does the runner's guard (`guard`), which hears of each renewal, where the host itself is stopped.

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

    def __init__(
        self,
        put: Callable[[bytes], bool],
        fence: float,
        end: Callable[[], None],
        renewed: Callable[[float], None],
    ) -> None:
        """`put` writes the counter into the head's table, however long that takes, and says whether
        there was one; raises what it likes. `end` ends the runner at once, `renewed` hears until
        when the lease holds."""
        self._put = put
        self._told = renewed
        self._fence = fence
        self._end = end
        self._renewed = now()
        self._over = False

    @property
    def until(self) -> float:
        """When the fence falls, by `now`."""
        return self._renewed + self._fence

    def begin(self) -> None:
        """From now on: before there is a runner, nothing has to be fenced."""
        self._renewed = now()
        for work in (self._renew, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def release(self) -> None:
        """There is no runner any more to be fenced."""
        self._over = True

    def _renew(self) -> None:
        count, was_there = 0, False
        while not self._over:
            asked = now()
            count += 1
            try:
                is_there = self._put(str(count).encode())
            except Exception:  # noqa: BLE001, S110  the head is away: the other thread counts
                pass
            else:
                if was_there and not is_there:
                    self._fall()
                was_there = True
                self._renewed = max(self._renewed, asked)
                self._told(self.until)
            time.sleep(self._fence / RENEWALS)

    def _fall(self) -> None:
        """The fence has passed. It may be that only the bridge knows: a virtual machine that was
        paused from outside has no clock that went on meanwhile. So the bridge removes the lease."""
        if not self._over:
            self._end()
            os._exit(3)

    def _watch(self) -> None:
        """A suspended machine does not count: its clock goes on, and the fence has fallen when it
        wakes up."""
        while not self._over:
            if self.until <= now():
                self._fall()
            time.sleep(WATCH_SECONDS)
