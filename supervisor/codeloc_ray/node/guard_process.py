"""`python -I -S guard_process.py PID DESCRIPTOR`: ends a process whose host no longer can.

A host that is stopped (SIGSTOP, a debugger) fences nothing. This process is in a session of its
own, and hears from its host on standard input until when the lease holds. It imports little: there
is one for each runner on a node.
"""

import os
import select
import sys
from struct import calcsize, unpack_from
from time import CLOCK_BOOTTIME, clock_gettime

UNTIL = "d"
"""What is heard: seconds of CLOCK_BOOTTIME until which the lease holds."""
LOOK = 0.5
"""Seconds that are waited for at once: a suspended machine's do not count."""


def kill(pid: int, descriptor: int) -> None:
    """End the group of a process that has not been reaped: its number is not another's yet."""
    if descriptor < 0 or not select.select([descriptor], [], [], 0)[0]:
        try:
            os.killpg(pid, 9)
        except OSError:
            return


def watch(pid: int, descriptor: int) -> None:
    """Returns when the process was killed, for its lease or its host. `descriptor`: a pidfd; -1."""
    until, size = float("inf"), calcsize(UNTIL)
    while (left := until - clock_gettime(CLOCK_BOOTTIME)) > 0:
        if select.select([0], [], [], min(left, LOOK))[0]:
            data = os.read(0, 512 * size)
            if not data:  # its host was killed
                break
            (until,) = unpack_from(UNTIL, data, len(data) - size)
    kill(pid, descriptor)


if __name__ == "__main__":
    watch(int(sys.argv[1]), int(sys.argv[2]))
