"""A short address for a Unix socket whose path is longer than an address can be, and who listens.

Plain strings and few imports: every command begins here.
"""

from __future__ import annotations

import _socket  # `socket` would import enum, selectors and collections: 6 ms of each command
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself takes as long as asking the daemon
    from typing import Protocol

    class Shortcut(Protocol):
        """A short path that leads to a long one for as long as it is entered."""

        def __enter__(self) -> str: ...
        def __exit__(self, *exception: object) -> None: ...


LONGEST = 103
"""Bytes of `sun_path` less its final NUL on macOS; Linux has four more (unix(7))."""

_DESCRIPTORS = "/proc/self/fd"


def shortcut(path: str, room: int = 0) -> Shortcut:
    """A path that leads to `path`, which exists, and leaves `room` bytes of an address.

    Entering it raises OSError where `path` is out of reach.
    """
    if len(os.fsencode(path)) + room <= LONGEST:
        return _Itself(path)
    if hasattr(os, "O_PATH") and os.path.isdir(_DESCRIPTORS):
        return _Descriptor(path)
    return _Link(path)


def peer_uid(connection: _socket.socket) -> int | None:
    """The user whose process listens at the other end; None where the system does not tell.

    SO_PEERCRED of unix(7), LOCAL_PEERCRED of <sys/un.h>: the uid is the second 32-bit number of
    `struct ucred` as of `struct xucred`. `rpc.unix` reads all of them, and takes longer to import.
    """
    level, name, size = (0, 1, 76) if sys.platform == "darwin" else (_socket.SOL_SOCKET, 17, 12)
    if sys.platform not in ("linux", "darwin"):
        return None
    try:
        answer = connection.getsockopt(level, name, size)
    except OSError:
        return None
    return int.from_bytes(answer[4:8], sys.byteorder)


class _Itself:
    """A path that is short already."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> str:
        return self._path

    def __exit__(self, *exception: object) -> None:
        pass


class _Descriptor:
    """Linux: the kernel's own link from an open descriptor to what it was opened on."""

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> str:
        self._descriptor = os.open(self._path, os.O_PATH | os.O_CLOEXEC)
        return f"{_DESCRIPTORS}/{self._descriptor}"

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)


class _Link:
    """Elsewhere: a symbolic link in a folder of our own, removed at once."""

    __slots__ = ("_folder", "_path")

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)

    def __enter__(self) -> str:
        os.stat(self._path)
        self._folder = f"/tmp/codelocd-{os.urandom(8).hex()}"  # noqa: S108 made 0700, never reused
        os.mkdir(self._folder, 0o700)
        link = f"{self._folder}/s"
        os.symlink(self._path, link)
        return link

    def __exit__(self, *exception: object) -> None:
        os.unlink(f"{self._folder}/s")
        os.rmdir(self._folder)
