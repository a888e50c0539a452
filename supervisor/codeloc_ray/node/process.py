"""A runner's process, or a one-shot command's: a child of the host, in a session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codeloc_ray.errors import EngineError
from codeloc_ray.node.guard import RunnerGuard
from codeloc_ray.node.output import OutputStream

STREAMS = ("stdout", "stderr")
FOLDER, SOCKET = "codelocd-node-", "runner.sock"
"""How the folder of a runner's socket begins: the path of a socket must be short."""
NOTHING_THERE = (errno.ECONNREFUSED, errno.ENOENT)
YOUNG = 60.0
"""Seconds in which the socket of a folder may be about to be there."""
OF_COMMAND = 4 * 1024 * 1024
"""Bytes of a command's output that are on their way, as long as they are not taken."""
KILL_SECONDS = 2.0
"""For what still prints after the runner's end: a child that left its group."""


class Supervised:
    """The process: what it prints, how it ended, and its socket, if it is a runner."""

    def __init__(self, root: str, stirred: Callable[[], None]) -> None:
        self._root = root
        self._stirred = stirred
        self._loop = asyncio.get_running_loop()
        self._folder: str | None = None
        self.streams: dict[str, OutputStream] = {}
        self.pid = 0
        self.exited: asyncio.Future[tuple[int | None, int | None]] = self._loop.create_future()
        self._life, self._writing = os.pipe()
        self._guard: RunnerGuard | None = None
        self._input = -1

    @property
    def socket_path(self) -> str:
        assert self._folder is not None
        return os.path.join(self._folder, SOCKET)

    def start_runner(self, order: Mapping[str, Any], command: Sequence[str], locks: Locks) -> None:
        """`order`: the runner's settings, but for what it is passed. Raises OSError."""
        self._folder = tempfile.mkdtemp(prefix=FOLDER)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.socket_path)
            os.chmod(self.socket_path, 0o600)
            listener.listen(64)
            told = {name: each for name, each in order.items() if name != "variables"}
            settings = {
                **told,
                "socket_fd": listener.fileno(),
                "socket_path": self.socket_path,
                "lock_fd": locks.serving,
                "lock_path": locks.serving_path,
                "parent": os.getpid(),
                "life_fd": self._life,
            }
            passed = [listener.fileno(), locks.serving, locks.alive, self._life]
            self._start([*command, json.dumps(settings)], order, passed)
            locks.leave_serving()

    def start_command(self, order: Mapping[str, Any], program: str, words: Sequence[str]) -> None:
        """A one-shot command, which reads what it is `given`. Raises OSError."""
        reading, writing = os.pipe()
        try:
            self._start(words, order, [], reading, program)
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._input = writing
        for stream in self.streams.values():
            stream.most = OF_COMMAND

    async def give(self, data: bytes, last: bool) -> None:
        """What a command reads. Raises EngineError where it reads no more."""
        descriptor = self._input
        if descriptor < 0:
            raise EngineError("down", "its input has ended")
        try:
            await asyncio.to_thread(_write, descriptor, data)
        except OSError:
            last = True
            raise EngineError("down", "it reads no more") from None
        finally:
            if last and self._input >= 0:
                self._input = -1
                os.close(descriptor)

    def _start(
        self,
        command: Sequence[str],
        order: Mapping[str, Any],
        passed: Sequence[int],
        stdin: int = subprocess.DEVNULL,
        program: str | None = None,
    ) -> None:
        pipes = {stream: os.pipe() for stream in STREAMS}
        try:
            process = subprocess.Popen(
                command,
                executable=program,
                stdin=stdin,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                env=order["variables"],
                cwd=order["working_directory"],
                pass_fds=passed,
                start_new_session=True,
            )
        except BaseException:
            for reading, _ in pipes.values():
                os.close(reading)
            raise
        finally:
            for _, writing in pipes.values():
                os.close(writing)
        self.pid = process.pid
        try:
            self._guard = RunnerGuard(process.pid)
        except OSError:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        for stream, (reading, _) in pipes.items():
            self.streams[stream] = OutputStream(reading, self._root, self._stirred)
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """In a thread. The process stays a zombie until its group has been killed: so its number
        still means that group."""
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if self._guard is not None:
            self._guard.over()
        code = process.wait()
        end = (None, -code) if code < 0 else (code, None)
        self._loop.call_soon_threadsafe(self._ended, end)

    def _ended(self, end: tuple[int | None, int | None]) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self.exited.set_result(end)
        self._loop.call_later(KILL_SECONDS, self._cut_off)
        self._stirred()

    def _cut_off(self) -> None:
        for stream in self.streams.values():
            stream.finish()

    def renewed(self, until: float) -> None:
        """Its lease holds until then."""
        if self._guard is not None:
            self._guard.renewed(until)

    # --- signals -------------------------------------------------------------------------------

    def signal(self, number: int, group: bool) -> None:
        """One that has ended is left alone: its number may be another's."""
        if self.pid and not self.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if group else os.kill)(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL, True)

    async def end(self, grace: float) -> None:
        """Ask, wait up to `grace` seconds, then kill; returns when it is gone."""
        self.signal(signal.SIGTERM, True)
        self.signal(signal.SIGCONT, True)
        await asyncio.wait([self.exited], timeout=grace)
        self.kill()
        await asyncio.wait([self.exited])

    @property
    def is_told(self) -> bool:
        """Whether it has ended, and all that it printed was told."""
        return self.exited.done() and all(each.is_told for each in self.streams.values())


class Locks:
    """The files that a runner holds: that of its location while it serves, and one of its own for
    as long as it or its host lives."""

    def __init__(self, serving: str, alive: str) -> None:
        """Raises EngineError where a process has the second one already."""
        self.serving_path, self.alive_path = serving, alive
        os.makedirs(os.path.dirname(serving), mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.serving = os.open(serving, flags, 0o600)
        self.alive = os.open(alive, flags, 0o600)
        try:
            fcntl.flock(self.alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise EngineError("busy", f"another host holds {alive}; wait for its end") from None

    def leave_serving(self) -> None:
        """To the runner: it ends with that, whatever becomes of this process."""
        os.close(self.serving)
        self.serving = -1

    def close(self) -> None:
        if self.serving >= 0:
            self.leave_serving()
        os.close(self.alive)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove_left_folders() -> None:
    """Those of hosts that were killed: nothing listens at their sockets any more. Blocks."""
    for folder in glob.glob(os.path.join(tempfile.gettempdir(), f"{FOLDER}*")):
        with contextlib.suppress(OSError):
            about = os.stat(folder)
            if about.st_uid == os.getuid() and time.time() - about.st_mtime > YOUNG:
                with socket.socket(socket.AF_UNIX) as asking:
                    if asking.connect_ex(os.path.join(folder, SOCKET)) in NOTHING_THERE:
                        shutil.rmtree(folder, ignore_errors=True)
