"""A daemon that is starting says so before it can listen: commands wait for it.

It listens at an abstract socket (unix(7)) that is named after its control socket. The kernel
removes that with the process, and a command that has connected hears when it is closed. Such a name
has no permissions: only what we ourselves, root, or the owner of the control socket's folder
announces counts. Linux alone has them: elsewhere a daemon that is starting is none. Few imports:
`codelocd status` looks for it.
"""

from __future__ import annotations

import _socket  # `socket` would import enum, selectors and collections: 6 ms of each command
import os
import sys
from _blake2 import blake2b  # `hashlib` would load OpenSSL: 3 ms of each command

from codelocd.rpc.unix_address import peer_uid

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take as long as asking the daemon
    from typing import Literal

_WAITING = 128
"""Commands that may wait for one daemon."""

_announced: dict[str, _socket.socket] = {}


def announce(control: str) -> None:
    """Say that this process is going to listen at the control socket of that path, unless a service
    manager listens there for it already."""
    if sys.platform != "linux" or control in _announced or "LISTEN_FDS" in os.environ:
        return
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        listener.bind(_name(control))
        listener.listen(_WAITING)
    except OSError:  # another one says so
        listener.close()
    else:
        _announced[control] = listener


def is_over() -> None:
    """This process listens at its control socket now."""
    for listener in _announced.values():
        listener.close()
    _announced.clear()


def is_announced(control: str) -> bool:
    """Whether a daemon is going to listen there."""
    connection = _connected(control, 0)
    if connection is not None:
        connection.close()
    return connection is not None


def outcome(control: str, seconds: float) -> Literal["none", "over", "goes on"]:
    """What has become of the start of a daemon within so many seconds: `none` was announced, it
    listens or has ended, or it is still starting."""
    connection = _connected(control, seconds)
    if connection is None:
        return "none"
    try:
        connection.recv(1)
    except TimeoutError:
        return "goes on"
    except OSError:
        pass  # it was closed before it took the connection
    finally:
        connection.close()
    return "over"


def _connected(control: str, seconds: float) -> _socket.socket | None:
    if sys.platform != "linux":
        return None
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(_name(control))
    except OSError:
        connection.close()
        return None
    if peer_uid(connection) not in _trusted(control):
        connection.close()
        return None
    return connection


def _trusted(control: str) -> set[int]:
    """The users whose daemon may listen at that control socket."""
    ours = {os.geteuid(), 0}
    try:
        return {*ours, os.stat(os.path.dirname(control)).st_uid}
    except OSError:
        return ours  # the daemon makes the folder itself


def _name(control: str) -> bytes:
    digest = blake2b(os.fsencode(control), digest_size=16).hexdigest()
    return f"\0codelocd-starting-{digest}".encode()
