"""The guard of a runner: a process that ends it when its host is stopped for too long."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from struct import pack

from codeloc_ray.node.guard_process import UNTIL

PROGRAM = Path(__file__).with_name("guard_process.py")


class RunnerGuard:
    """Of the process with that number, a child of this one that leads its group."""

    def __init__(self, pid: int) -> None:
        """Raises OSError."""
        self._pid = pid
        self._over = False
        self._turn = threading.Lock()
        try:
            self._descriptor = os.pidfd_open(pid)
        except OSError:  # an old kernel
            self._descriptor = -1
        self._begin()

    def _begin(self) -> None:
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        held = [] if self._descriptor < 0 else [self._descriptor]
        words = ["-I", "-S", str(PROGRAM), str(self._pid), str(self._descriptor)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                pass_fds=held,
                start_new_session=True,
            )
        finally:
            os.close(reading)

    def renewed(self, until: float) -> None:
        """The lease holds until then (CLOCK_BOOTTIME, seconds). A guard that was killed is
        replaced."""
        with self._turn:
            if self._over:
                return
            try:
                os.write(self._writing, pack(UNTIL, until))
            except BlockingIOError:  # it is stopped, too
                return
            except BrokenPipeError:
                os.close(self._writing)
                self._process.wait()
                self._begin()
                os.write(self._writing, pack(UNTIL, until))

    def over(self) -> None:
        """The process has ended, and is about to be reaped."""
        with self._turn:
            self._over = True
            self._process.kill()
            self._process.wait()
            for each in (self._writing, self._descriptor):
                if each >= 0:
                    os.close(each)
