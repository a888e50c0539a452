"""Counts, freezes and limits the processes that descend from a child. Linux only.

A process belongs to a child if it is in the session that the child leads, or descends from one that
is. What has left the session and lost its parent is not found here; `orphans` knows its mark.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass

PASSES = 20
"""Groups are stopped until none is new: a process may have left its group meanwhile."""


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    group: int
    session: int
    threads: int


def newest() -> str:
    """Differs once a process or a thread was started since, on this machine (proc_loadavg(5))."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return file.read().rpartition(" ")[2]
    except OSError:
        return ""


def count(leader: int) -> int:
    """Processes and threads of the session that `leader` leads, and of what descends from it."""
    return sum(each.threads for each in _family(leader).values())


def freeze(leader: int) -> frozenset[int]:
    """Stop them all: what is stopped starts no others. By whole groups, so that no fork is missed;
    the groups that there are.
    """
    stopped: set[int] = set()
    for _ in range(PASSES):
        found = {each.group for each in _family(leader).values()} - stopped
        if not found:
            break
        for group in found:
            _signal_group(group, signal.SIGSTOP)
        stopped |= found
    return frozenset(stopped)


def end(groups: Iterable[int]) -> None:
    """Kill groups that were frozen, and so are still what they were."""
    for group in groups:
        _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def hold_to(leader: int, nice: int | None, open_files: int | None) -> None:
    """Apply limits to the processes that run; None: the limit of this process.

    A limit that may not be set is left as it is: only root makes a process less nice.
    """
    wanted = os.getpriority(os.PRIO_PROCESS, 0) if nice is None else nice
    usual, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for pid in _family(leader):
        for thread in _threads(pid):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, wanted)
        with contextlib.suppress(OSError, ValueError):
            _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            least = usual if open_files is None else open_files
            soft = least if most == resource.RLIM_INFINITY else min(least, most)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, most))


def _threads(pid: int) -> Iterable[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return ()


def _family(leader: int) -> dict[int, _Process]:
    processes = dict(_processes())
    children: dict[int, list[int]] = {}
    for pid, each in processes.items():
        children.setdefault(each.parent, []).append(pid)
    waiting = [pid for pid, each in processes.items() if leader in (each.session, pid)]
    found: dict[int, _Process] = {}
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = processes[pid]
            waiting += children.get(pid, ())
    return found


def _processes() -> Iterable[tuple[int, _Process]]:
    """Every process of this machine that has not ended."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                state, parent, group, session, *rest = file.read(4096).rpartition(b")")[2].split()
        except (OSError, ValueError):
            continue
        if state not in (b"Z", b"X"):
            yield int(name), _Process(int(parent), int(group), int(session), int(rest[13]))
