"""The guardian's process: few imports, and it finds processes by a variable that they inherited.

Linux only: elsewhere a process may not read the environment of another one, and nothing is found.
`guardian` starts it; a daemon finds in the same way what its children have left behind.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def main(family: str) -> None:
    """`family`: what the marks of the daemon's children begin with; "" where they have none."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _end_groups(_groups_left())
    if family:
        end_all(lambda mark: mark.startswith(family))


def _groups_left() -> set[int]:
    """Those that were not released when the daemon ended."""
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            change = groups.add if line[:1] == b"+" else groups.discard
            change(int(line[1:]))
    return groups


def _end_groups(groups: set[int]) -> None:
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
