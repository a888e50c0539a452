"""What is seen of a process from outside, whether it is still there and of a run, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

PATIENCE = 10.0
"""Seconds for a process to heed a signal that no process can ignore."""


def is_alive(pid: int, began: str) -> bool:
    """The process that began then, in ticks since the machine did, and no zombie."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return facts[19] == began and facts[0] not in "ZX"


def is_of_a_run(pid: int) -> bool:
    """Whether it holds the lock of an attempt."""
    links = []
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(os.readlink(each))
    return any("/runs/" in link and "/lock." in link for link in links)


def kill_unless_of_a_run(pids: Iterable[int]) -> list[int]:
    """Those that were killed. A fork of a warm interpreter, or the spare itself, may become an
    attempt in the very moment: each is stopped first, so that it is what it was seen to be."""
    killed = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            if _has_stopped(pid) and not is_of_a_run(pid):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            os.kill(pid, signal.SIGCONT)
    return killed


def _has_stopped(pid: int) -> bool:
    """The signal takes effect a little later where the process runs on another core."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state in "TZX":
                return state == "T"
        time.sleep(0.001)
    return False
