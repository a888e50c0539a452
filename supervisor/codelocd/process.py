"""Child processes: each in a session of its own, each end noticed at once.

The daemon is a child subreaper on Linux: what a runner leaves behind becomes the daemon's
child. Nothing waits for "any child": that would steal the exit status of a process that
somebody else waits for. Ends are peeked at, ours are delivered, strays are reaped.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from codelocd.guardian import Guardian
from codelocd.model import Exit, Stream
from codelocd.strays import Strays, marked

_PR_SET_CHILD_SUBREAPER = 36
_CHUNK = 65536
_FIRST_CHUNK = 4096
_SMALLEST_CHUNK = 512
_PATIENCE = 0.005
"""Seconds that dealing with one chunk of output may take: everything else waits meanwhile."""

_LAST_MOMENT = 1.0
"""Seconds for killed children to be gone; one may hang in the kernel."""


class Child:
    """One process with its group and what it prints."""

    def __init__(self, pid: int, mark: str, exited: asyncio.Future[Exit]) -> None:
        self.pid = pid
        self.mark = mark
        self.exited = exited

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the whole group; a group that is gone is no error."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        self.signal_group(signal.SIGKILL)

    def resume(self) -> None:
        """A process that somebody has stopped could neither answer nor leave."""
        self.signal_group(signal.SIGCONT)

    async def end(self, grace: float) -> None:
        """Ask (TERM, and CONT in case it is stopped), wait up to `grace` seconds, then kill."""
        self.signal_group(signal.SIGTERM)
        self.resume()
        await self.gone(grace)
        self.kill()
        await asyncio.shield(self.exited)

    async def gone(self, seconds: float) -> bool:
        """Whether the process ends within `seconds`."""
        done, _ = await asyncio.wait([self.exited], timeout=seconds)
        return bool(done)


class Children:
    """Starts processes, from the loop's (the main) thread, and notices their ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, guardian: Guardian) -> None:
        self._loop = loop
        self._guardian = guardian
        self._ours: dict[int, tuple[Child, list[_Output]]] = {}
        self._strays = Strays()
        guardian.family = self._strays.family
        _become_subreaper()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)

    async def settled(self) -> None:
        """Returns when the children that were killed, and all that they left, are gone."""
        if ending := [child.exited for child, _ in self._ours.values()]:
            await asyncio.wait(ending, timeout=_LAST_MOMENT)
        await self._strays.settled()

    def close(self) -> None:
        self._loop.remove_signal_handler(signal.SIGCHLD)

    def start(
        self,
        command: Sequence[str],
        *,
        variables: Mapping[str, str],
        directory: Path,
        output: Callable[[Stream, bytes], None],
        pass_fds: Iterable[int] = (),
        stdin: int = subprocess.DEVNULL,
        mark: str | None = None,
    ) -> Child:
        """Start `command`; `output(stream, data)` gets what it prints, b"" at its end.

        What descends from it bears `mark`, and ends with it; with "" it is left alone, as is
        right for a process whose forks shall outlive it. Raises OSError when it cannot be started.
        """
        mark = self.mark() if mark is None else mark
        with self._pipes(output) as (outputs, writers):
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=writers[0],
                stderr=writers[1],
                env={**variables, **marked(mark)},
                cwd=directory,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
            process.returncode = 0  # its end is noticed here, not by Popen
            return self._watched(Child(process.pid, mark, self._loop.create_future()), outputs)

    def mark(self) -> str:
        """A new mark."""
        return self._strays.mark()

    async def adopt(
        self,
        mark: str,
        ask: Callable[[Sequence[int]], Awaitable[int]],
        output: Callable[[Stream, bytes], None],
    ) -> Child:
        """A process that was not started here, but leads a session and is a child by now.

        `mark` is what it gives to those that descend from it.
        `ask` gets the descriptors for its standard output and error, and gives its pid. A child
        from here may change what it prints to in that way. Raises OSError when it is gone
        already, and whatever `ask` does.
        """
        with self._pipes(output) as (outputs, writers):
            pid = await ask(writers)
            _ended(os.P_PID, pid, missing_ok=False)
            if pid in self._ours:
                child, former = self._ours.pop(pid)
                child.mark = mark
                for each in former:
                    each.finish()
                return self._watched(child, outputs)
            child = self._watched(Child(pid, mark, self._loop.create_future()), outputs)
        self._loop.call_soon(self._reap)  # it may have ended before it was known here
        return child

    @contextlib.contextmanager
    def _pipes(
        self, output: Callable[[Stream, bytes], None]
    ) -> Iterator[tuple[list[_Output], Sequence[int]]]:
        """Both ends of what a child prints to; the writing ones are then the child's alone."""
        readers, writers = _two_pipes()
        try:
            yield (
                [
                    _Output(self._loop, readers[0], "stdout", output),
                    _Output(self._loop, readers[1], "stderr", output),
                ],
                writers,
            )
        except BaseException:
            _close_all(readers)
            raise
        finally:
            _close_all(writers)

    def _watched(self, child: Child, outputs: list[_Output]) -> Child:
        for each in outputs:
            each.begin()
        self._ours[child.pid] = (child, outputs)
        self._guardian.watch(child.pid)
        return child

    def _reap(self) -> None:
        while (pid := _ended(os.P_ALL, 0)) is not None:
            if pid in self._ours:
                self._deliver(pid)
            elif os.getsid(pid) != os.getsid(0):
                os.waitid(os.P_PID, pid, os.WEXITED)
            else:
                self._look_behind()
                return

    def _look_behind(self) -> None:
        """Somebody else's child ended and is not yet waited for: ask for each of ours."""
        for pid in tuple(self._ours):
            if _ended(os.P_PID, pid) is not None:
                self._deliver(pid)

    def _deliver(self, pid: int) -> None:
        child, outputs = self._ours.pop(pid)
        child.kill()  # before it is reaped: its number still means this group
        end = _reaped(pid)
        child.exited.set_result(end)  # its callbacks come later: after its last words
        if child.mark:
            self._strays.orphaned(child.mark)
        self._guardian.release(pid)
        for output in outputs:
            output.finish()


class _Output:
    """One pipe of a child, read as it comes and to its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pipe: int,
        stream: Stream,
        sink: Callable[[Stream, bytes], None],
    ) -> None:
        self._loop, self._pipe = loop, pipe
        self._stream: Stream = stream
        self._sink = sink
        self._chunk = _FIRST_CHUNK
        os.set_blocking(pipe, False)

    def begin(self) -> None:
        self._loop.add_reader(self._pipe, self._read)

    def finish(self) -> None:
        """The process is gone: take what it left in the pipe, which somebody may still fill."""
        try:
            left = _waiting(self._pipe) if self._pipe >= 0 else 0
            while left > 0 and (taken := self._read()):
                left -= taken
        finally:
            self._close()

    def _read(self) -> int:
        try:
            data = os.read(self._pipe, self._chunk)
        except BlockingIOError:
            return 0
        if data:
            began = self._loop.time()
            self._sink(self._stream, data)
            self._adapt(self._loop.time() - began)
        else:
            self._close()
        return len(data)

    def _adapt(self, seconds: float) -> None:
        """Millions of short lines take far longer than their bytes: take fewer at once."""
        if seconds > _PATIENCE:
            self._chunk = max(_SMALLEST_CHUNK, self._chunk // 4)
        elif seconds < _PATIENCE / 4:
            self._chunk = min(_CHUNK, self._chunk * 2)

    def _close(self) -> None:
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self._pipe = -1
            self._sink(self._stream, b"")


def dying_with_us() -> list[str]:
    """A wrapper under which a process ends with its parent, where there is one."""
    wrapper = shutil.which("setpriv")
    return [wrapper, "--pdeathsig", "KILL"] if wrapper and sys.platform == "linux" else []


def _ended(which: int, number: int, *, missing_ok: bool = True) -> int | None:
    """The pid of a child that has ended and was not waited for, left as it is."""
    try:
        found = os.waitid(which, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        if not missing_ok:
            raise
        return None
    return found.si_pid if found is not None else None


def _reaped(pid: int) -> Exit:
    found = os.waitid(os.P_PID, pid, os.WEXITED)
    assert found is not None
    if found.si_code == os.CLD_EXITED:
        return Exit(status=found.si_status)
    return Exit(signal=found.si_status)


def _waiting(pipe: int) -> int:
    """Bytes that a pipe holds now."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


def _two_pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    """The reading ends of two pipes, and the writing ends; both pipes or OSError."""
    first = os.pipe()
    try:
        second = os.pipe()
    except OSError:
        _close_all(first)
        raise
    return (first[0], second[0]), (first[1], second[1])


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
