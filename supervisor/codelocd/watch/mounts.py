"""File systems that change without the kernel's knowledge: network and virtual machine shares."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_REMOTE = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|ceph|afs|lustre|vboxsf|prl_fs|virtiofs|fakeowner|fuse.*"
)
_TABLE = Path("/proc/self/mountinfo")


class Mounts:
    """Tells whether a folder needs a look now and then although it is watched."""

    def __init__(self, table: Path = _TABLE) -> None:
        self._table = table
        self._remote: dict[int, bool] = {}

    def is_remote(self, folder: str) -> bool:
        """Raises OSError where there is no such folder."""
        device = os.stat(folder).st_dev
        if device not in self._remote:
            self._remote[device] = device in _remote_devices(self._table)
        return self._remote[device]


def _remote_devices(table: Path) -> set[int]:
    """proc(5): `36 35 98:0 /root /mount/point options [fields] - TYPE source options`."""
    if not sys.platform.startswith("linux"):
        return set()
    devices = set()
    for line in table.read_text(errors="replace").splitlines():
        mount, _, system = line.partition(" - ")
        if _REMOTE.fullmatch(system.split(" ", 1)[0]):
            major, minor = mount.split(" ", 3)[2].split(":")
            devices.add(os.makedev(int(major), int(minor)))
    return devices
