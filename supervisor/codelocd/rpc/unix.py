"""Unix stream sockets at paths of any length, and the credentials of the peer."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from codelocd.rpc.unix_address import shortcut


@dataclass(frozen=True, slots=True)
class Credentials:
    """The process that connected, as it was then; `pid` is None where the system does not say.

    `groups`: all that it was in, `gid` among them.
    """

    uid: int
    gid: int
    pid: int | None
    groups: frozenset[int] = frozenset()


def of_peer(connection: socket.socket) -> Credentials | None:
    """The credentials of the other end; None where the system has no way to ask."""
    try:
        return _ASK(connection)
    except OSError:
        return None


def _linux(connection: socket.socket) -> Credentials:
    """SO_PEERCRED of unix(7): `struct ucred`."""
    layout = struct.Struct("=iII")
    answer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    pid, uid, gid = layout.unpack(answer)
    return Credentials(uid, gid, pid or None, frozenset((gid, *_groups(connection))))


_MOST = 1024
"""Bytes that Python takes from a socket option: 256 groups."""


def _groups(connection: socket.socket) -> tuple[int, ...]:
    """SO_PEERGROUPS of unix(7): the supplementary groups; none where it has too many to tell."""
    so_peergroups = 59
    try:
        answer = connection.getsockopt(socket.SOL_SOCKET, so_peergroups, _MOST)
    except OSError:
        return ()
    return struct.unpack(f"={len(answer) // 4}I", answer)


def _macos(connection: socket.socket) -> Credentials:
    """LOCAL_PEERCRED and LOCAL_PEERPID of <sys/un.h>: `struct xucred` of <sys/ucred.h>."""
    sol_local, local_peercred, local_peerpid = 0, 1, 2
    layout = struct.Struct("=IIhxx16I")
    answer = connection.getsockopt(sol_local, local_peercred, layout.size)
    _version, uid, count, *groups = layout.unpack(answer)
    (pid,) = struct.unpack("=i", connection.getsockopt(sol_local, local_peerpid, 4))
    return Credentials(uid, groups[0], pid, frozenset(groups[:count]))


def _nobody_knows(_connection: socket.socket) -> Credentials | None:
    return None


_ASK = {"linux": _linux, "darwin": _macos}.get(sys.platform, _nobody_knows)


BACKLOG = 256
"""Connections that wait to be accepted; the kernel caps it at its own `somaxconn`."""

_PROBE_TIMEOUT = 1.0


def connect(path: Path, *, timeout: float | None = 0) -> socket.socket:
    """A non-blocking socket connected to `path`, for an event loop.

    Raises OSError; BlockingIOError while the listener's queue is full.
    """
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.settimeout(timeout)
    try:
        with shortcut(str(path)) as address:
            connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected


def listen(path: Path, *, mode: int = 0o600, group: int | None = None) -> socket.socket:
    """A socket that listens at `path`, with these permissions from its first moment.

    A socket without a listener is replaced; where a process listens, OSError EADDRINUSE.
    A file there that is no socket is never replaced: FileExistsError.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Two starts at once would both find the socket stale and remove each other's.
        fcntl.flock(folder, fcntl.LOCK_EX)
        _refuse_if_taken(path)
        return _publish(path, mode, group)
    finally:
        os.close(folder)


def _refuse_if_taken(path: Path) -> None:
    if not path.is_socket():
        if path.exists() or path.is_symlink():
            raise FileExistsError(errno.EEXIST, "there is a file that is no socket", str(path))
        return
    try:
        connect(path, timeout=_PROBE_TIMEOUT).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return
    except (BlockingIOError, TimeoutError):
        pass  # its queue is full: a process listens, however slowly
    raise OSError(errno.EADDRINUSE, "another process listens there already", str(path))


def _publish(path: Path, mode: int, group: int | None) -> socket.socket:
    """Bind under another name, give the permissions, listen, and only then take the name."""
    name = f".{os.urandom(6).hex()}"
    unfinished = path.with_name(name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with shortcut(str(path.parent), room=len(name) + 1) as folder:
            listener.bind(f"{folder}/{name}")
        if group not in (None, unfinished.lstat().st_gid):  # a service may not, and need not
            os.chown(unfinished, -1, group or 0)
        unfinished.chmod(mode)
        listener.listen(BACKLOG)
        unfinished.rename(path)
    except BaseException:
        listener.close()
        unfinished.unlink(missing_ok=True)
        raise
    return listener
