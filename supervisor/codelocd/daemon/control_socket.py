"""Where the daemon listens: at its control socket, and beside it for those who may only read.

What it leaves of this to the code that goes on under the same pid is here, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from codeloc_envs.files import make_folder
from codelocd.daemon.rights import Gate, Refusals, Right, Trusted
from codelocd.process.writer import settle
from codelocd.rpc import starting, unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Handler, Peer
from codelocd.rpc.requests import Report
from codelocd.rpc.server import start_server
from codelocd.watch.folders import Folders
from codelocd.watch.notices import Kind, Notice
from codelocd.watch.plan import Routes
from codelocd.watch.polling import Mounts

# --- what is left to the code that is installed now --------------------------------------------

VARIABLE = "CODELOCD_LISTENS"
"""By which a process tells the one that it becomes where it listens."""


@dataclass(frozen=True, slots=True)
class LeftSocket:
    """A listening socket of this process from before it took up other code. `identity`: the file at
    the socket's path, by device and number."""

    descriptor: int
    identity: tuple[int, int]

    def tell(self, environ: MutableMapping[str, str]) -> None:
        os.set_inheritable(self.descriptor, True)
        environ[VARIABLE] = ":".join(map(str, (os.getpid(), self.descriptor, *self.identity)))

    @classmethod
    def told(cls, environ: MutableMapping[str, str]) -> LeftSocket | None:
        """None where this process was just started."""
        try:
            pid, descriptor, *identity = map(int, environ.pop(VARIABLE, "").split(":"))
            device, number = identity
        except ValueError:
            return None
        return cls(descriptor, (device, number)) if pid == os.getpid() else None


TRIAL = "import codelocd.cli.commands.run, codelocd.daemon.service"
TRIAL_SECONDS = 60.0


HEEDED = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM),
)
"""The signals that a daemon acts upon. One that comes before it can is kept until then."""


class Successor:
    """Replaces this process by the code that is installed now. The pid stays, so that a service
    manager sees no end.

    `environ`: the variables that this process was started with.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.is_due = False

    def try_out(self) -> None:
        """Check that the new code can be imported. Blocks. Raises RpcError if it cannot."""
        try:
            done = subprocess.run(
                [sys.executable, "-c", TRIAL],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TRIAL_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as failure:
            raise RpcError("internal", f"the new code cannot be tried: {failure}") from None
        if done.returncode:
            why = done.stderr.strip().rpartition("\n")[2]
            raise RpcError("internal", f"the new code does not load, the old one goes on: {why}")

    def begin(self, passed: socket.socket | None, left: LeftSocket | None) -> None:
        """Execute the new code at once; `passed`: the socket that a service manager has handed
        over, `left`: this process's own.

        A signal that comes meanwhile waits until the new code heeds it.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
        environ = dict(self._environ)
        if passed is not None:
            os.set_inheritable(passed.fileno(), True)
        elif left is not None:
            left.tell(environ)
        settle("stdout", "stderr")
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, environ)  # noqa: S606  no shell


# --- the control socket ------------------------------------------------------------------------

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
        listener = self.open() if left is None else self._taken(left)
        starting.is_over()
        return listener

    def _taken(self, left: LeftSocket) -> socket.socket:
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
        entry = _PathEvents(self._path, self._report)
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


class _PathEvents:
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


# --- a second socket, for reading only ---------------------------------------------------------

NAME = "observe.sock"
"""Beside the control socket."""


class ObserveSocket:
    """Listens beside the control socket at `control`, for members of `group` (its number), the
    daemon's user and root: none of them gets another right than to read.
    """

    def __init__(
        self, control: Path, group: int, refusals: Refusals, report: Callable[[str], None]
    ) -> None:
        self._gate = Gate(Trusted(os.geteuid(), readers=group, most=Right.READ), refusals)
        self._socket = ControlSocket(control.with_name(NAME), group, report)

    async def begin(
        self, handler: Handler, report: Report, disconnected: Callable[[Peer], None]
    ) -> None:
        """Answer there, by a handler of the control socket. Raises OSError."""
        self._server = await start_server(
            self._socket.open(),
            self._gate.guard(handler),
            allowed=self._gate.admits,
            report=report,
            disconnected=disconnected,
        )
        self._keeping = asyncio.ensure_future(self._socket.keep(self._server))

    def close(self) -> None:
        self._keeping.cancel()
        self._socket.close()
        self._server.close()
