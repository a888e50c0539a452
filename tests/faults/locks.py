"""Looks from outside, every 50 ms, who holds the lock of which location."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

PAUSE = 0.05
"""Seconds between two looks: the kernel sends no event when a lock changes hands."""


class Locks:
    """A thread that notes when two processes hold the lock of one location. `pids(location)`: its
    runners.

    The kernel allows one for each file; there may be two where a file was removed, or where a
    runner keeps a lock of another kind.
    """

    def __init__(self, state: Path, pids: Callable[[str], set[int]]) -> None:
        self.violations: list[str] = []
        self.looks = 0
        self._state = state
        self._pids = pids
        self._files: dict[int, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def holders(self, name: str) -> set[int]:
        """The processes that hold a lock of the location, on a file that is at its path or was."""
        return self._held().get(name, set())

    def _follow(self) -> None:
        while not self._ended.wait(PAUSE):
            self.looks += 1
            for name, held in self._held().items():
                if len(held) > 1:
                    self.violations.append(f"{name} is served by {sorted(held)} at once")

    def _held(self) -> dict[str, set[int]]:
        for file in self._state.glob("codelocd/daemons/*/serving/*.lock"):
            with contextlib.suppress(OSError):
                self._files[file.stat().st_ino] = file.stem
        found: dict[str, set[int]] = {}
        for pid, inode in write_locks():
            name = self._files.get(inode)
            if name is not None and pid in self._pids(name):
                found.setdefault(name, set()).add(pid)
        return found


def write_locks() -> Iterator[tuple[int, int]]:
    """Each exclusive lock of flock(2) there is: its process, and the number of the file."""
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, access, pid, place, *_ = line.split()
        if (kind, access) == ("FLOCK", "WRITE"):
            yield int(pid), int(place.rpartition(":")[2])
