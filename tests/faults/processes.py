"""What is seen of a process from outside: whether it is still there, and whether it is of a run."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


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
