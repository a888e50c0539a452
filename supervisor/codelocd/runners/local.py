"""Runners as child processes on this machine, reached through Unix sockets."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import psutil

from codeloc_envs.files import make_folder
from codeloc_envs.problem import shortage
from codelocd.process.child import Child, Children
from codelocd.rpc import unix
from codelocd.rpc.errors import RpcError
from codelocd.rpc.peer import Peer
from codelocd.rpc.requests import HEARD
from codelocd.rpc.server import open_peer, reach, talk_on
from codelocd.runners.api import Program, RunnerSpec
from codelocd.runners.attempts import AttemptStart
from codelocd.runners.connected import ConnectedRunner
from codelocd.runners.settings import (
    Passed,
    hold_from_outside,
    hold_to_limits,
    living,
    opened,
    settings,
)

_RECONNECTS = 50
_RECONNECT_PAUSE = 0.02

LAST_WORDS = 1.0
"""Seconds for which a connection may outlive its runner: a forked child may hold it open."""


class LocalRunner(ConnectedRunner):
    """A child process and the connection to it."""

    def __init__(
        self, child: Child, socket_path: Path, connected: socket.socket | None = None
    ) -> None:
        """`connected`: the first connection, made before user code could remove the path."""
        super().__init__(child)
        self._socket_path = socket_path
        self._connected_early = connected
        self._peer: Peer | None = None
        self._connecting = asyncio.Lock()
        child.exited.add_done_callback(lambda _: self._hang_up())

    @property
    def record(self) -> Mapping[str, Any] | None:
        return {"socket": str(self._socket_path)}

    def _hang_up(self) -> None:
        """What it had still said is heard; a child with its connection does not hold this up."""
        if self._connected_early is not None:
            self._connected_early.close()
        if self._peer is not None and not self._peer.closed.done():
            loop = asyncio.get_running_loop()
            late = loop.call_later(LAST_WORDS, self._peer.close)
            self._peer.closed.add_done_callback(lambda _: late.cancel())

    async def _connected(self) -> Peer:
        """The connection; a new one if user code closed the runner's descriptors."""
        async with self._connecting:
            if self._peer is None or self._peer.closed.done():
                self._peer = await self._connect()
            return self._peer

    async def _connect(self) -> Peer:
        """Raises RpcError: "down", or "busy", whose cause is what the machine lacks for it."""
        lacking: OSError | None = None
        early, self._connected_early = self._connected_early, None
        if early is not None:
            return await talk_on(early, limits=HEARD, patient=True)
        for _ in range(_RECONNECTS):
            if self.exited.done():
                break
            try:
                return await open_peer(self._socket_path, limits=HEARD, patient=True)
            except OSError as error:
                lacking = error if shortage(error) else None
            await asyncio.wait([self.exited], timeout=_RECONNECT_PAUSE)
        if lacking is not None and not self.exited.done():
            what = f"runner {self.pid} cannot be reached for now: {lacking.strerror}"
            raise RpcError("busy", what) from lacking
        raise RpcError("down", f"runner {self.pid} is gone")


class LocalLauncher:
    """Starts runners from the bundle, in sessions of their own."""

    def __init__(
        self,
        children: Children,
        bundle: Path,
        sockets: Path,
        restore: Callable[[], None] = lambda: None,
        kept: Collection[str] = (),
    ) -> None:
        """`restore` makes the bundle whole again if files of it were removed; `kept`:
        sockets of runners that an earlier daemon has left."""
        self._children = children
        self._restore = restore
        self._entry = bundle / "codeloc_runner" / "__main__.py"
        self._sockets = sockets
        _remove_stale(sockets, kept)
        self._numbers = itertools.count(1)

    async def start(self, spec: RunnerSpec) -> LocalRunner:
        async def spawn(passed: Passed) -> Child:
            child = self._children.start(
                [
                    str(spec.executable),
                    str(self._entry),
                    spec.location,
                    settings(spec, passed, self._children.life),
                ],
                variables=spec.variables,
                directory=spec.working_directory,
                output=spec.output,
                pass_fds=[*passed.descriptors, *spec.held, *living(self._children.life)],
                account=spec.account,
            )
            hold_to_limits(spec, child.pid)
            return child

        return await self.through(spec, spawn)

    def program(self, program: Program) -> Child:
        """A program beside a runner. Raises OSError when it cannot be started."""
        spec = program.beside
        child = self._children.start(
            [str(spec.executable), "-m", program.module, *program.arguments],
            variables=program.environ,
            directory=spec.working_directory,
            output=program.output,
            pass_fds=spec.held,
            account=spec.account,
        )
        if spec.group is not None or spec.nice is not None or spec.open_files is not None:
            hold_from_outside(spec, child.pid)
        return child

    def command(self, start: AttemptStart) -> list[str]:
        """Of an attempt that starts on its own."""
        return [str(start.spec.executable), str(self._entry), *start.arguments]

    def attempt(self, start: AttemptStart) -> Child:
        """An attempt of a run. Raises OSError when it cannot be started."""
        self._restore()
        spec = start.spec
        child = self._children.start(
            self.command(start),
            variables=spec.variables,
            directory=spec.working_directory,
            output=spec.output,
            pass_fds=[*start.descriptors, *living(self._children.life)],
            account=spec.account,
        )
        hold_to_limits(spec, child.pid)
        return child

    async def through(
        self, spec: RunnerSpec, start: Callable[[Passed], Awaitable[Child]]
    ) -> LocalRunner:
        """A runner that `start` starts, given what it is passed."""
        self._restore()
        path = self._new_path()
        make_folder(self._sockets)
        listener = unix.listen(path)
        lock = opened(spec.lock)
        connected = None
        try:
            connected = await reach(path)
            child = await start(Passed(path, listener.fileno(), lock))
        except BaseException:
            path.unlink(missing_ok=True)
            if connected is not None:
                connected.close()
            raise
        finally:
            listener.close()
            if lock is not None:
                os.close(lock)
        child.exited.add_done_callback(lambda _: path.unlink(missing_ok=True))
        return LocalRunner(child, path, connected)

    def adopt(self, child: Child, path: Path) -> LocalRunner:
        """A runner that another daemon has started, and that listens there."""
        child.exited.add_done_callback(lambda _: path.unlink(missing_ok=True))
        runner = LocalRunner(child, path)
        runner.take_over()  # the other daemon may have ended before it told the runner so
        return runner

    def _new_path(self) -> Path:
        """A path that is not in use: an earlier daemon may have had this process's pid."""
        paths = (self._sockets / f"{os.getpid()}-{number}.sock" for number in self._numbers)
        return next(path for path in paths if not path.exists())


def _remove_stale(sockets: Path, kept: Collection[str]) -> None:
    """Remove the sockets that killed daemons left; their names begin with the daemon's pid."""
    for path in sockets.glob("*-*.sock"):
        pid = int(path.name.partition("-")[0])
        if str(path) in kept:
            continue
        if pid == os.getpid() or not psutil.pid_exists(pid):
            path.unlink(missing_ok=True)
