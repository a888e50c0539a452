"""Tells processes apart: the kernel uses a pid again, but not with the same time of start.

Plain values and few imports: `codelocd status` needs it where no daemon answers.
"""

from __future__ import annotations

import sys

GONE = ""
"""The state of a process that has ended, whether or not its parent knows."""

STOPPED = "Tt"
"""Letters of a process that was stopped, by a signal or by a debugger (proc(5))."""


def began(pid: int) -> int | None:
    """When a process began, in ticks of a clock that cannot be set; None if there is no such
    process.

    Linux counts from the start of the machine (`starttime` of proc_pid_stat(5)); elsewhere it is
    the time of day in microseconds, as the kernel noted it.
    """
    if sys.platform != "linux":
        return _began_elsewhere(pid)
    facts = _stat(pid)
    return int(facts[19]) if facts else None


def state(pid: int, since: int) -> str:
    """The letter of proc_pid_stat(5) for the process that began then; GONE where it has ended."""
    if sys.platform != "linux":
        return "S" if _began_elsewhere(pid) == since else GONE
    facts = _stat(pid)
    if not facts or int(facts[19]) != since or facts[0] in (b"Z", b"X"):
        return GONE
    return facts[0].decode()


def boot() -> str:
    """A name for the time since the machine started; "" where it has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[bytes]:
    """The fields from the third on; the second is a name in parentheses, which may hold any."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read(4096).rpartition(b")")[2].split()
    except (OSError, ValueError):
        return []


def _began_elsewhere(pid: int) -> int | None:
    import psutil  # seldom: it takes longer to import than `codelocd status` takes in all

    try:
        return int(psutil.Process(pid).create_time() * 1e6)
    except (psutil.Error, ValueError, OSError):
        return None
