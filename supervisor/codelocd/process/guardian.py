"""What outlives the daemon for a moment: it ends what a daemon that was killed has left.

A runner that dies with the daemon (PR_SET_PDEATHSIG) has no time to end its own children, and
user code may close the pipe that would tell it. So one small process holds a pipe from
the daemon and the list of its process groups; at the pipe's end of file it kills them all, and
every process that left its group but still bears a mark of the daemon's children.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]

_START = (
    "import sys; sys.path.append(sys.argv[1]);"
    " from codelocd.process.guardian_process import main; main(sys.argv[2])"
)
"""Without `site`, and so without the folder that the daemon itself is imported from."""


class Guardian:
    """The daemon's end. A guardian that was killed is replaced at the next word to it."""

    def __init__(self) -> None:
        self.family = ""
        """What the marks of all children begin with; to be set before the first is watched."""
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

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

    def close(self) -> None:
        """End the guardian, and what it still watches."""
        if self._process is not None:
            os.close(self._pipe)
            self._process.wait()
            self._process = None

    def _say(self, words: str) -> None:
        try:
            if self._process is None:
                raise BrokenPipeError
            os.write(self._pipe, words.encode())
        except (BrokenPipeError, BlockingIOError):  # killed, or stopped until its pipe was full
            self._end()
            with contextlib.suppress(OSError):  # short of descriptors: at the next word again
                self._begin()

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
        self._pipe = writing
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
