"""Unix stream sockets at paths of any length."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

from codelocd.rpc.unix_address import shortcut

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

    What nobody answers on is replaced; where somebody does, OSError EADDRINUSE.
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
        pass  # its queue is full: somebody listens, however slowly
    raise OSError(errno.EADDRINUSE, "somebody listens there already", str(path))


def _publish(path: Path, mode: int, group: int | None) -> socket.socket:
    """Bind under another name, give the permissions, listen, and only then take the name."""
    name = f".{os.urandom(6).hex()}"
    unfinished = path.with_name(name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with shortcut(str(path.parent), room=len(name) + 1) as folder:
            listener.bind(f"{folder}/{name}")
        if group is not None:
            os.chown(unfinished, -1, group)
        unfinished.chmod(mode)
        listener.listen(BACKLOG)
        unfinished.rename(path)
    except BaseException:
        listener.close()
        unfinished.unlink(missing_ok=True)
        raise
    return listener
