"""Processes found by a variable that they inherited, wherever they have gone since.

Linux only: elsewhere nobody may read the environment of another process, and nothing is found.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # the guardian, which uses this, is to be as small as a process can be
    from collections.abc import Callable, Iterator

VARIABLE = "CODELOCD_CHILD"
"""Names the child that a process descends from; a descendant that drops it is not found."""

PASSES = 20
"""Searches in a row while each finds somebody: one may have forked as it was being killed."""

SIGKILL = 9
"""The same everywhere."""


def end_all(chosen: Callable[[str], bool]) -> None:
    """Kill every process whose mark is chosen. Blocks for some milliseconds."""
    for _ in range(PASSES):
        found = [pid for pid, mark in _marked() if chosen(mark)]
        for pid in found:
            try:
                os.kill(pid, SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if not found:
            return


def _marked() -> Iterator[tuple[int, str]]:
    """Processes that began with a mark; none of those that are ending."""
    for pid, variables in _environments():
        for variable in variables:
            name, _, mark = variable.partition(b"=")
            if name == VARIABLE.encode():
                yield pid, os.fsdecode(mark)


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                yield int(name), file.read().split(b"\0")
        except OSError:
            continue
