"""Control groups for children, where a service manager has left a subtree of cgroup v2 to us.

The rules are the kernel's (Documentation/admin-guide/cgroup-v2.rst) and systemd's for delegation
(https://systemd.io/CGROUP_DELEGATION): processes are in leaves alone, so the daemon goes into one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

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
        self._numbers = count(1)

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
