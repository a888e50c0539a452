"""Who is at the other end of a Unix socket, according to the kernel."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """The process that connected, as it was then; `pid` is None where the system does not say."""

    uid: int
    gid: int
    pid: int | None


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
    return Credentials(uid, gid, pid or None)


def _macos(connection: socket.socket) -> Credentials:
    """LOCAL_PEERCRED and LOCAL_PEERPID of <sys/un.h>: `struct xucred` of <sys/ucred.h>."""
    sol_local, local_peercred, local_peerpid = 0, 1, 2
    layout = struct.Struct("=IIhxx16I")
    answer = connection.getsockopt(sol_local, local_peercred, layout.size)
    _version, uid, _groups, gid, *_others = layout.unpack(answer)
    (pid,) = struct.unpack("=i", connection.getsockopt(sol_local, local_peerpid, 4))
    return Credentials(uid, gid, pid)


def _nobody_knows(_connection: socket.socket) -> Credentials | None:
    return None


_ASK = {"linux": _linux, "darwin": _macos}.get(sys.platform, _nobody_knows)
