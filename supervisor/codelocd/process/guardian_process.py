"""The guardian's process, with few imports; `guardian` starts it."""

import os
import signal

from codelocd.process.marks import end_all


def main(family: str) -> None:
    """`family`: what the marks of the daemon's children begin with; "" where nobody has one."""
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
