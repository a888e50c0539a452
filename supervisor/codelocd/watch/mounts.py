"""File systems that change without the kernel's knowledge: network and virtual machine shares."""

from __future__ import annotations

import os
import re
from pathlib import Path

from codeloc_envs.filesystem import MOUNTS, mounted

_REMOTE = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|ceph|afs|lustre|vboxsf|prl_fs|virtiofs|fakeowner|fuse.*"
)


class Mounts:
    """Tells whether a folder needs a look now and then although it is watched."""

    def __init__(self, table: Path = MOUNTS) -> None:
        self._table = table
        self._remote: dict[int, bool] = {}

    def is_remote(self, folder: str) -> bool:
        """Raises OSError where there is no such folder."""
        device = os.stat(folder).st_dev
        if device not in self._remote:
            remote = {each.device for each in mounted(self._table) if _REMOTE.fullmatch(each.kind)}
            self._remote[device] = device in remote
        return self._remote[device]
