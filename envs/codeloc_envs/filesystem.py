"""Facts of filesystems: the one that a folder is on, whether its locks work, and sizes on disk."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeloc_envs.problem import EnvironmentProblem, shortage

MOUNTS = Path("/proc/self/mountinfo")
"""The mounted filesystems; https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html"""

_NETWORKED = (
    "9p afs ceph cifs davfs fuse.cephfs fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs gfs2 "
    "glusterfs lustre ncpfs nfs nfs4 ocfs2 smb2 smb3 smbfs"
)
NETWORKED = frozenset(_NETWORKED.split())
"""Types on which a `flock` may be granted to two machines at once, or to any process."""


def require_locks(folder: Path, mounts: Path = MOUNTS) -> None:
    """Raises EnvironmentProblem unless a lock taken in `folder` keeps others out."""
    kind = filesystem_type(folder, mounts)
    if kind in NETWORKED:
        raise EnvironmentProblem(
            f"the store {folder} is on {kind}, where locks cannot be relied on; "
            'put it on a local disk ([daemon] store = "...")'
        )
    if not _keeps_out(folder):
        raise EnvironmentProblem(
            f"the store {folder} is on a filesystem without working locks; "
            'put it on a local disk ([daemon] store = "...")'
        )


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted filesystem: its device as `os.stat` has it, where it stands, its type."""

    device: int
    place: Path
    kind: str


def mounted(table: Path = MOUNTS) -> Iterator[Mount]:
    """All of them, later ones over earlier ones; none where the system has no such table.

    A line reads `36 35 98:0 /root /mount/point options [fields] - TYPE source options`.
    """
    try:
        lines = table.read_text(errors="surrogateescape").splitlines()
    except OSError as error:
        if shortage(error):
            raise
        return
    for line in lines:
        mount, _, described = line.partition(" - ")
        _, _, device, _, place, *_ = mount.split(" ")
        major, minor = device.split(":")
        kind = described.split(" ", 1)[0]
        path = _unescaped(place) if "\\" in place else place
        yield Mount(os.makedev(int(major), int(minor)), Path(path), kind)


def filesystem_type(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """The type of the filesystem that holds `folder`, None where the system does not say."""
    here, best, kind = folder.resolve(), Path(), None
    for mount in mounted(mounts):
        if here.is_relative_to(mount.place) and len(mount.place.parts) >= len(best.parts):
            best, kind = mount.place, mount.kind
    return kind


def _keeps_out(folder: Path) -> bool:
    """Two descriptors of one file, opened apart, are two holders. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".locks-") as one:
        other = os.open(one.name, os.O_RDWR)
        try:
            return _taken(one.fileno()) and not _taken(other)
        finally:
            os.close(other)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unescaped(text: str) -> str:
    """Blanks and backslashes stand there as octal numbers."""
    for code in (" ", "\t", "\n", "\\"):
        text = text.replace(f"\\{ord(code):03o}", code)
    return text


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes on disk, and those of them in files that have other names elsewhere."""

    total: int = 0
    shared: int = 0


def size_of(folder: Path) -> Size:
    """How much disk a folder takes.

    What vanishes meanwhile counts nothing.
    """
    total = shared = 0
    for here, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            try:
                stat = os.lstat(os.path.join(here, name))
            except OSError:
                continue
            taken = stat.st_blocks * 512
            total += taken
            shared += taken if stat.st_nlink > 1 and name in names else 0
    return Size(total, shared)
