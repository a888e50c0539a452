"""The runner's own socket: inherited from the daemon, bound again where user code closed it."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM, socket
from time import sleep

from .owned import Lost, OwnedSocket, Vigilance

BACKLOG = 64
SHORTAGE_PAUSE_SECONDS = 0.1


class Listener:
    """Accepts for as long as the process lives."""

    __slots__ = ("_path", "_socket", "_vigilance")

    def __init__(self, fd: int, path: str, vigilance: Vigilance) -> None:
        self._path = path
        self._vigilance = vigilance
        self._socket = OwnedSocket(socket(fileno=fd), vigilance)

    def accept(self) -> OwnedSocket:
        while True:
            try:
                return self._socket.accept()
            except Lost:
                self._bind_again()
            except OSError:
                sleep(SHORTAGE_PAUSE_SECONDS)  # user code may have used up every descriptor

    def _bind_again(self) -> None:
        self._socket.close()
        try:
            self._socket = OwnedSocket(listen_anew(self._path), self._vigilance)
        except OSError:
            sleep(SHORTAGE_PAUSE_SECONDS)


def listen_anew(path: str) -> socket:
    """A listening socket of mode 0600 that takes the place of what is at `path`."""
    raw = socket(AF_UNIX, SOCK_STREAM)
    folder, name = os.path.split(path)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Through the descriptor: a Unix socket address holds 107 bytes, a path may be longer.
        through = f"/proc/self/fd/{directory}" if os.path.isdir("/proc/self/fd") else folder
        address = os.path.join(through, f".{os.getpid()}-{name}")
        raw.bind(address)
        os.chmod(address, 0o600)
        raw.listen(BACKLOG)
        os.rename(address, path)
    except OSError:
        raw.close()
        raise
    finally:
        os.close(directory)
    return raw
