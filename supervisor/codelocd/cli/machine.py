"""Reads what this machine grants to processes, and how much of it is used."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import psutil

INOTIFY = Path("/proc/sys/fs/inotify")
CGROUPS = Path("/sys/fs/cgroup")


def files_open(pid: int) -> int:
    """The descriptors of a process. Raises OSError."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def most_files(pid: int) -> int | None:
    """Its soft RLIMIT_NOFILE, None for no limit. Raises OSError."""
    limits = Path(f"/proc/{pid}/limits").read_text()
    found = re.search(r"^Max open files\s+(\d+)", limits, re.MULTILINE)
    return int(found[1]) if found else None


def inotify_in_use(count: Callable[[str], int]) -> int:
    """`count` of what the kernel notes of each instance, over all processes of this user: the
    limits are for each user."""
    total = 0
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid != os.getuid():
                continue
            for each in os.scandir(f"/proc/{pid}/fd"):
                if os.readlink(each.path) == "anon_inode:inotify":
                    total += count(Path(f"/proc/{pid}/fdinfo/{each.name}").read_text())
    return total


def cgroup() -> tuple[int, bool]:
    """The version of control groups, 0 for none; whether this process may divide its own."""
    root = CGROUPS
    if not (root / "cgroup.controllers").exists():
        return (1 if root.is_dir() and any(root.iterdir()) else 0), False
    with contextlib.suppress(OSError):
        return 2, os.access(root / own_group() / "cgroup.subtree_control", os.W_OK)
    return 2, False


def own_group() -> str:
    """The path of this process's group of cgroup v2. Raises OSError."""
    return Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")


def available_memory() -> int:
    """Bytes of memory, of the machine or of the control group that this process is in."""
    available: int = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):
        group = CGROUPS / own_group()
        most, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        return min(available, max(0, int(most) - int(used)))
    return available
