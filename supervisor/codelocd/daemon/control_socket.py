"""Where callers find the daemon: a socket that stays at its path."""

from __future__ import annotations

import asyncio
import grp
import socket
from collections.abc import Callable
from pathlib import Path

from codelocd.rpc import unix
from codelocd.rpc.server import Server

INTERVAL = 0.5
"""Seconds between two looks at whether the socket is still there."""


class ControlSocket:
    """Makes the control socket, and makes it again where somebody removed it.

    `report` gets one line when it is gone, and one when it cannot be made again.
    """

    def __init__(self, path: Path, group: str | None, report: Callable[[str], None]) -> None:
        self._path = path
        self._group = None if group is None else grp.getgrnam(group).gr_gid
        self._report = report

    def open(self) -> socket.socket:
        """Raises OSError, also where somebody else listens there."""
        mode = 0o600 if self._group is None else 0o660
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = unix.listen(self._path, mode=mode, group=self._group)
        self._identity = _identity(self._path)
        return listener

    async def keep(self, server: Server) -> None:
        """Look after it for ever."""
        while True:
            await asyncio.sleep(INTERVAL)
            if _identity(self._path) != self._identity:
                self._report(f"{self._path} was removed; making it again")
                await self._reopen(server)

    async def _reopen(self, server: Server) -> None:
        told = ""
        while True:
            try:
                await server.listen(self.open())
            except OSError as error:
                if str(error) != told:
                    told = str(error)
                    self._report(f"nobody can reach this daemon: {self._path}: {error}")
                await asyncio.sleep(INTERVAL)
            else:
                return

    def close(self) -> None:
        """Remove the socket, unless it is somebody else's by now."""
        if _identity(self._path) == self._identity:
            self._path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells one file from another that took its name."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
