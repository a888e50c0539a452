"""What outlives the daemon for a moment: it ends what a daemon that was killed has left.

A runner that dies with the daemon (PR_SET_PDEATHSIG) has no time to end its own children, and
user code may close the pipe that would tell it. So one small process holds a pipe from
the daemon and the list of its process groups; at the pipe's end of file it kills them all, and
every process that left its group but still bears a mark of the daemon's children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_ROOT = Path(__file__).parents[2]

_START = (
    "import sys; sys.path.append(sys.argv[1]);"
    " from codelocd.process.guardian_process import main; main(sys.argv[2])"
)
"""Without `site`, and so without the folder that the daemon itself is imported from."""

_YOUNG = 1.0
"""Seconds of life after which one that ends is replaced at once: it may be that none can live."""


class Guardian:
    """The daemon's end. One that was killed is replaced, one that was stopped goes on: at `look`,
    which whoever reaps the daemon's children calls at each SIGCHLD."""

    def __init__(self) -> None:
        self.family = ""
        """What the marks of all children begin with; to be set before the first is watched."""
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._began = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def watch(self, group: int) -> None:
        """From now on `group` ends with the daemon."""
        self._groups.add(group)
        self._say(f"+{group}\n")

    def release(self, group: int) -> None:
        """`group` is gone."""
        self._groups.discard(group)
        self._say(f"-{group}\n")

    def look(self) -> float | None:
        """Have it go on if somebody stopped it. Seconds after which to `renew` it, if it ended;
        not at once where it did so as soon as it had begun."""
        if self._process is None:
            return None
        what = os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        found = os.waitid(os.P_PID, self._process.pid, what)
        if found is None:
            return None
        if found.si_code == os.CLD_STOPPED:
            os.kill(self._process.pid, signal.SIGCONT)
            return None
        self._end()
        return 0.0 if time.monotonic() - self._began > _YOUNG else _YOUNG

    def renew(self) -> None:
        """Start another one, unless there is one."""
        if self._process is None:
            with contextlib.suppress(OSError):  # short of descriptors: at the next word again
                self._begin()

    def close(self) -> None:
        """End the guardian, and what it still watches."""
        if self._process is not None:
            os.close(self._pipe)
            os.kill(self._process.pid, signal.SIGCONT)  # somebody may have stopped it
            self._process.wait()
            self._process = None

    def _say(self, words: str) -> None:
        try:
            if self._process is None:
                raise BrokenPipeError
            os.write(self._pipe, words.encode())
        except (BrokenPipeError, BlockingIOError):  # killed, or stopped until its pipe was full
            self._end()
            self.renew()

    def _end(self) -> None:
        if self._process is not None:
            os.close(self._pipe)
            self._process.kill()
            self._process.wait()
            self._process = None

    def _begin(self) -> None:
        reading, writing = os.pipe()
        try:
            self._process = self._start(reading)
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._pipe, self._began = writing, time.monotonic()
        os.write(writing, "".join(f"+{group}\n" for group in self._groups).encode())
        os.set_blocking(writing, False)

    def _start(self, reading: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, str(_ROOT), self.family],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )
