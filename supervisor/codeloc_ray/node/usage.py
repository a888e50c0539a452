"""What a runner and its children take of the node."""

from __future__ import annotations

import os
import time

EVERY = 10.0
"""Seconds between two looks."""
TICKS = os.sysconf("SC_CLK_TCK")


class UsageMeter:
    """Memory (PSS, bytes) and CPU (a fraction of one) of a process's whole session."""

    def __init__(self) -> None:
        self._session = 0
        self._last: tuple[float, float] | None = None
        self._at = 0.0

    def begin(self, session: int) -> None:
        self._session = session
        self._at = time.monotonic()

    def due(self) -> dict[str, float | None] | None:
        """None unless it is time for it."""
        now = time.monotonic()
        if not self._session or now - self._at < EVERY:
            return None
        self._at = now
        return self.look(now)

    def look(self, now: float) -> dict[str, float | None]:
        memory, seconds = 0, 0.0
        for pid in members(self._session):
            memory += pss(pid)
            seconds += cpu(pid)
        last, self._last = self._last, (now, seconds)
        share = None
        if last is not None and now > last[0]:
            share = max(0.0, (seconds - last[1]) / (now - last[0]))
        return {"memory": memory, "cpu": share}


def members(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat(int(name))
            if fields and fields[3] == str(session):
                found.append(int(name))
    return found


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command (proc(5)); none where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def cpu(pid: int) -> float:
    """Seconds."""
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def pss(pid: int) -> int:
    """Its share of the memory, bytes."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
