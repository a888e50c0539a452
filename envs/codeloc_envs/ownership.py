"""Who else could have put there what stands at a path: its owners, and who may write on the way.

A rule of git's (`safe.directory`) and of sshd's (`StrictModes`): who owns a folder, or may write to
it, decides what is found in it. Members of a group are those that a folder's owner let in, so what
a group may write is trusted on the way; a *private* folder is its user's alone.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

_MOST_LINKS = 40
"""As many as Linux follows in one path (path_resolution(7))."""

Entry = tuple[str, os.stat_result]


def own_users(environ: Mapping[str, str]) -> frozenset[int]:
    """Whose files are as good as the caller's: their own, root's, and under `sudo` (git's rule,
    too) those of who called it."""
    uid = os.geteuid()
    called_by = environ.get("SUDO_UID", "") if uid == 0 else ""
    return frozenset({uid, 0, *([int(called_by)] if called_by.isdecimal() else [])})


def distrusted(
    path: str | os.PathLike[str], owners: Collection[int], *, private: bool = False
) -> str | None:
    """Why a user besides `owners` decides what is at `path`, in a few words; None: no other does.

    Looks at everything on the way as the kernel takes it, links and what they lead to, as far as it
    is there. With `private` no other user may put anything into the folder at `path` either: no
    sticky bit helps, and no group but one that its owner alone is in.
    """
    try:
        way = list(_way(os.path.abspath(path)))
    except OSError as error:
        return f"{error.filename} cannot be looked at: {error.strerror}"
    for entry, found in way[1:]:  # who has the root has everything
        if found.st_uid not in owners:
            what = "the link " if stat.S_ISLNK(found.st_mode) else ""
            return f"{what}{entry} belongs to user {found.st_uid}"
    ways = [(entry, found) for entry, found in way if not stat.S_ISLNK(found.st_mode)]
    for entry, found in ways:
        mode = found.st_mode
        shared = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
        if mode & stat.S_IWOTH and not shared:
            return f"others can write to {entry}"
    if private and os.path.exists(path) and _is_shared(ways[-1][1]):
        return f"others can write to {ways[-1][0]}"
    return None


def barrier(path: Path, uid: int, groups: Collection[int]) -> str | None:
    """The first folder on the way to `path` that this user may not pass, links followed."""
    try:
        way = list(_way(os.path.abspath(path)))
    except OSError as error:
        return str(error.filename)
    for entry, found in way:
        at = 6 if found.st_uid == uid else 3 if found.st_gid in groups else 0
        if stat.S_ISDIR(found.st_mode) and not found.st_mode >> at & stat.S_IXOTH:
            return entry
    return None


def planted(entry: Path, code: Path) -> str | None:
    """Why an entry of a folder that all users may write to, such as the temporary one, may not
    decide about `code`; None where the caller, root or the owner of the code made it.

    Elsewhere only those who may write there have put it there, and they may change the code.
    """
    try:
        folder, found = os.stat(entry.parent), os.lstat(entry)
        if not folder.st_mode & stat.S_IWOTH:
            return None
        owners = {os.geteuid(), 0, os.stat(code).st_uid}
    except OSError as error:
        return f"{entry} cannot be looked at: {error.strerror}"
    if found.st_uid not in owners:
        return f"{entry} belongs to user {found.st_uid}"
    open_to_all = found.st_mode & stat.S_IWOTH and not stat.S_ISLNK(found.st_mode)
    if open_to_all and folder.st_mode & stat.S_ISVTX:
        return f"others can write to {entry}"
    return None


def _is_shared(found: os.stat_result) -> bool:
    """Whether another user may put something into that folder."""
    group = found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid, found.st_uid)
    return bool(found.st_mode & stat.S_IWOTH or group)


def _is_private(gid: int, uid: int) -> bool:
    """Whether a group is the one that its owner alone is in, by the owner's name (Debian's sshd
    asks the same): with it, the usual umask is 002."""
    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and not set(group.gr_mem) - {user.pw_name}


def _way(path: str) -> Iterator[Entry]:
    """Every entry on the way to `path` (absolute), first the root; OSError, but not where it ends
    too early."""
    at, links = "/", 0
    pending = path.split("/")[::-1]
    yield at, os.lstat(at)
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)
            continue
        entry = os.path.join(at, part)
        try:
            found = os.lstat(entry)
        except (FileNotFoundError, NotADirectoryError):
            return
        yield entry, found
        if not stat.S_ISLNK(found.st_mode):
            at = entry
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(entry)
        at = "/" if target.startswith("/") else at
        pending.extend(target.split("/")[::-1])
