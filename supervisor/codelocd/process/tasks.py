"""Counts, freezes and limits the processes that descend from a child. Linux only.

A process belongs to a child if it is in the session that the child leads, or descends from one that
is. What has left the session and lost its parent is not found here; `orphans` knows its mark.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

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


# --- control groups ----------------------------------------------------------------------------

# For children, where a service manager has left a subtree of cgroup v2 to us. The rules are the
# kernel's (Documentation/admin-guide/cgroup-v2.rst) and systemd's for delegation
# (https://systemd.io/CGROUP_DELEGATION): processes are in leaves alone, so the daemon goes
# into one.

CONTROLLERS = ("cpu", "memory", "pids")
OWN = "daemon"
"""The leaf of this process, and of the children that get no group of their own."""

UNLIMITED = "max"

PATIENCE, PAUSE = 1.0, 0.02
"""Seconds for the killed processes of a group to be gone, and between two tries to remove it."""


class Subtree:
    """A group whose only process was this one, and the groups below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def make(self, limits: Mapping[str, str]) -> str:
        """A new group, with what `limits` has for its files; its folder. Raises OSError."""
        folder = self._folder / f"runner-{os.getpid()}-{next(self._numbers)}"
        folder.mkdir()
        self.hold_to(str(folder), limits)
        return str(folder)

    def hold_to(self, group: str, limits: Mapping[str, str]) -> None:
        """Files that this kernel has no controller for are left out."""
        for name, value in limits.items():
            with contextlib.suppress(OSError):
                Path(group, name).write_text(value)

    def keeps(self, controller: str) -> bool:
        """Whether groups below this one are held to what concerns `controller`."""
        return controller in _words(self._folder / "cgroup.subtree_control")

    def remove(self, group: str) -> None:
        """End everything that is in it. Blocks for up to PATIENCE."""
        end = time.monotonic() + PATIENCE
        self.hold_to(group, {"cgroup.kill": "1"})
        while time.monotonic() < end:
            try:
                os.rmdir(group)
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(PAUSE)
            else:
                return


def events(group: str, name: str) -> dict[str, int]:
    """What has happened to a group, by a file such as `memory.events`; {} where there is none."""
    words = _words(Path(group, name))
    return {key: int(value) for key, value in zip(words[::2], words[1::2], strict=False)}


def delegated() -> Subtree | None:
    """The group of this process, if it is ours alone and may be divided; then it is divided."""
    folder = _own_folder()
    if folder is None or not os.access(folder, os.W_OK):
        return None
    if folder.name == OWN:
        return Subtree(folder.parent)  # this process has divided it before it became what it is
    if os.path.isdir("/run/systemd/system") and not _is_left_to_us(folder):
        return None
    pid = str(os.getpid())
    if _words(folder / "cgroup.procs") != [pid]:
        return None  # processes of other programs may not be moved
    leaf = folder / OWN
    try:
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(pid)
    except OSError:
        return None
    for controller in CONTROLLERS:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
    for left in folder.glob("runner-*"):
        with contextlib.suppress(OSError):  # one whose processes go on is kept
            left.rmdir()
    return Subtree(folder)


def _is_left_to_us(folder: Path) -> bool:
    """Whether systemd says so: it marks what a unit with Delegate= may divide, from 251 on."""
    try:
        return os.getxattr(folder, "user.delegate") == b"1"
    except OSError:
        return False


def _own_folder() -> Path | None:
    """Where this process's group is; None in the root, which is the machine's, or without v2."""
    lines = _text(Path("/proc/self/cgroup")).splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::/")), "/")
    for line in _text(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            root, place = before.split()[3:5]
            top = root.rstrip("/")
            if path != root and path.startswith(f"{top}/"):
                return Path(place, path.removeprefix(top).lstrip("/"))
    return None


def _words(file: Path) -> list[str]:
    return _text(file).split()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
