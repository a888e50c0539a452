"""Whether a process that was written down is still there."""

from __future__ import annotations

from pathlib import Path


def is_alive(pid: int, began: str) -> bool:
    """The process that began then, in ticks since the machine did, and no zombie."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return facts[19] == began and facts[0] not in "ZX"
