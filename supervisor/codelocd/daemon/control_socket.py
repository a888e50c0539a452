"""Keeps the control socket at its path."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from codeloc_envs.files import make_folder
from codelocd.daemon.successor import LeftSocket
from codelocd.rpc import unix
from codelocd.watch.folders import Folders
from codelocd.watch.notices import Kind, Notice
from codelocd.watch.plan import Routes
from codelocd.watch.polling import Mounts

AGAIN = 0.5
"""Seconds between two tries to make the socket again; no event tells when one may succeed."""

LOOK = 300.0
"""Seconds between two looks without an event: none comes when a folder further up is moved."""


class Listens(Protocol):
    """A server that can accept at another socket than before."""

    def listen(self, listener: socket.socket, /) -> None: ...


class ControlSocket:
    """Makes the control socket, or the one for metrics, and makes it again when it was removed.

    `group` is the number of the group that may use it. `report` gets one line when the socket is
    gone, and one when it cannot be made again.
    """

    def __init__(self, path: Path, group: int | None, report: Callable[[str], None]) -> None:
        self._path = path
        self._group = group
        self._report = report
        self._identity: tuple[int, int] | None = None

    def take(self, left: LeftSocket | None) -> socket.socket:
        """The socket that this process listened on before an upgrade, as far as it is what `open`
        would make; else a new one. Raises OSError."""
        if left is None:
            return self.open()
        listener = socket.socket(fileno=left.descriptor)
        os.set_inheritable(left.descriptor, False)
        if _identity(self._path) == left.identity and self._is_right():
            self._identity = left.identity
            return listener
        listener.close()
        return self.open()

    def leave(self, listener: socket.socket) -> LeftSocket | None:
        """For the process that this one becomes; None where no client can reach the socket."""
        if not self._is_there() or self._identity is None:
            return None
        return LeftSocket(listener.fileno(), self._identity)

    def _is_right(self) -> bool:
        """Whether it has the permissions that one of ours has."""
        found = self._path.lstat()
        its_group = self._group in (None, found.st_gid)
        return stat.S_IMODE(found.st_mode) == self._mode and its_group

    @property
    def _mode(self) -> int:
        return 0o600 if self._group is None else 0o660

    def open(self) -> socket.socket:
        """Raises OSError, also where another process listens there."""
        make_folder(self._path.parent)
        listener = unix.listen(self._path, mode=self._mode, group=self._group)
        self._identity = _identity(self._path)
        return listener

    async def keep(self, server: Listens) -> None:
        """Look after it for ever, whenever its entry may have changed."""
        entry = _Entry(self._path, self._report)
        try:
            while True:
                entry.watch()
                if self._is_there():
                    await entry.changed(LOOK)
                else:
                    self._report(f"{self._path} was removed; making it again")
                    await self._reopen(server)
                    entry.renew()
        finally:
            entry.close()

    async def _reopen(self, server: Listens) -> None:
        told = ""
        while True:
            try:
                server.listen(self.open())
            except OSError as error:
                if str(error) != told:
                    told = str(error)
                    self._report(f"no client can reach this daemon: {self._path}: {error}")
                await asyncio.sleep(AGAIN)
            else:
                return

    def _is_there(self) -> bool:
        """One that was removed while it was made has no identity, and is not there."""
        return self._identity is not None and _identity(self._path) == self._identity

    def close(self) -> None:
        """Remove the socket, unless another process has taken its path by now."""
        if self._is_there():
            self._path.unlink(missing_ok=True)


class _Entry:
    """One entry of the file system, by its path, and the events that may concern it."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self._path = os.path.abspath(path)
        self._folders = Folders(asyncio.get_running_loop(), self._noticed, report, Mounts())
        self._concerned: frozenset[str] = frozenset()
        self._stirred = asyncio.Event()

    def watch(self) -> None:
        """The folder that it is in, or the nearest that there is. An event is never missed after
        this."""
        self._stirred.clear()
        while True:
            routes = Routes()
            routes.files([self._path])
            real = routes.folder(os.path.dirname(self._path))
            own = [] if real is None else [os.path.join(real, os.path.basename(self._path))]
            self._concerned = frozenset({*routes.turns, *own})
            if not self._folders.claim(self._path, routes.names):
                return

    def renew(self) -> None:
        """Watch what has the name now: a folder that was removed is not told to be gone as long
        as a process listens on a socket that was in it, such as a runner.
        """
        self._folders.renew()

    async def changed(self, patience: float) -> None:
        """Returns when something may have happened to it, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._stirred.wait()

    def close(self) -> None:
        self._folders.close()

    def _noticed(self, notices: Collection[Notice]) -> None:
        for folder, name, kind in notices:
            if kind is Kind.GONE:
                self._folders.gone(folder)
            if kind in (Kind.GONE, Kind.LOST) or os.path.join(folder, name) in self._concerned:
                self._stirred.set()


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells one file from another that took its name."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
