"""The installed `codelocd`, started in two ways.

`run` and `start` take the second one where both show the same: a fork of a process that has
imported all of it. What a command does, it does in a process of its own; a sixth of a second of
imports, and of a daemon half a second, in hundreds of tests, is done once.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

CODELOCD = Path(sys.executable).with_name("codelocd")
DEADLINE = 120.0
"""Seconds after which something that a test waits for will not come any more."""

READ_AT_START = ("PYTHON", "LC_", "LANG")
"""How the names of variables begin that the interpreter reads before the first line of code."""

OF_ONE_TEST = "XDG_TEST_HOME"
"""Says which test a process belongs to, which ends it; the imported process outlives it."""

ENOUGH = 2
"""Commands of one kind that are started in the first way: what is imported for one that will not
come again is not worth it."""

_BYTES = 256 * 1024


def run(
    words: Sequence[str | Path],
    *,
    cwd: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    given: str = "",
    timeout: float = DEADLINE,
) -> subprocess.CompletedProcess[str]:
    """`codelocd WORDS`, which reads what is `given`; `cwd` and `environ` are the test's where they
    are left out. Raises TimeoutError or TimeoutExpired, and kills it then.
    """
    cwd, environ = cwd or Path.cwd(), os.environ if environ is None else environ
    told = [str(word) for word in words]
    kind = _kind(environ)
    _asked[kind] += 1
    if _asked[kind] > ENOUGH:
        return _warm(kind).run([told, str(cwd), dict(environ)], given, timeout)
    return subprocess.run(
        [CODELOCD, *told],
        cwd=cwd,
        env=environ,
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def start(
    words: Sequence[str | Path],
    *,
    cwd: str | Path,
    environ: Mapping[str, str],
    by: Sequence[str | Path] = (CODELOCD,),
    stdout: int = subprocess.PIPE,
    stderr: int | None = subprocess.STDOUT,
) -> subprocess.Popen[str] | Forked:
    """`codelocd WORDS`, which reads nothing; what it writes to stderr comes from its stdout, too,
    or goes where the test's own goes: `stderr` is None then.

    It is no fork where it is started `by` another program, where its stdout is no pipe to here,
    or where a test looks for the variables of its processes: those that the system shows of a fork
    are not its own, nor is its command line.
    """
    told, kind = [str(word) for word in words], _kind(environ)
    _asked[kind] += 1
    is_plain = [*by] == [CODELOCD] and stdout == subprocess.PIPE
    if _asked[kind] > ENOUGH and is_plain and OF_ONE_TEST not in environ:
        return _warm(kind).start([told, str(cwd), dict(environ)], 2 if stderr is None else None)
    return subprocess.Popen(
        [*by, *told],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


class Forked:
    """A command that goes on, with what tests use of `subprocess.Popen`."""

    def __init__(self, words: list[str], pid: int, hearing: socket.socket, stdout: TextIO) -> None:
        self.args, self.pid, self.stdout = words, pid, stdout
        self.returncode: int | None = None
        self._hearing = hearing

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._hearing], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._hearing.settimeout(timeout)
            try:
                status = int.from_bytes(_exactly(self._hearing), "big")
            except TimeoutError:
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout) from None
            self.returncode = os.waitstatus_to_exitcode(status)
            self._hearing.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """`timeout` is that of its end, after its last line."""
        with self.stdout:
            text = self.stdout.read()
        self.wait(timeout)
        return text, None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


_Kind = frozenset[tuple[str, str]]
_asked: Counter[_Kind] = Counter()


def _kind(environ: Mapping[str, str]) -> _Kind:
    return frozenset(each for each in environ.items() if each[0].startswith(READ_AT_START))


class _Warm:
    """A process that has imported all of it. It ends with its channel."""

    def __init__(self, kind: _Kind) -> None:
        left_out = (*READ_AT_START, OF_ONE_TEST)
        others = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BYTES)
        with theirs:
            subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={**others, **dict(kind)},
                pass_fds=[theirs.fileno()],
            ).returncode = 0  # it is not waited for

    def run(self, order: list[Any], given: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """`order`: words, working directory, variables."""
        hearing, telling = socket.socketpair()
        with contextlib.ExitStack() as stack:
            stack.enter_context(hearing)
            streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            streams[0].write(given.encode())
            streams[0].seek(0)
            with telling:
                self._send(order, telling, *streams)
            hearing.settimeout(timeout)
            pid, status = int.from_bytes(_exactly(hearing), "big"), b""
            try:
                status = _exactly(hearing)
            finally:
                if not status:
                    os.kill(pid, signal.SIGKILL)
            texts = []
            for file in streams[1:]:
                file.seek(0)
                texts.append(file.read().decode())
        code = os.waitstatus_to_exitcode(int.from_bytes(status, "big"))
        return subprocess.CompletedProcess(order[0], code, *texts)

    def start(self, order: list[Any], stderr: int | None) -> Forked:
        """Like `run`; it reads nothing, and writes all into one pipe unless `stderr` is given."""
        hearing, telling = socket.socketpair()
        reading, writing = os.pipe()
        with telling, open(writing, "wb") as output, open(os.devnull, "rb") as nothing:
            self._send(order, telling, nothing, output, output if stderr is None else stderr)
        pid = int.from_bytes(_exactly(hearing), "big")
        return Forked(order[0], pid, hearing, open(reading, encoding="utf-8"))

    def _send(self, order: list[Any], telling: socket.socket, *streams: IO[bytes] | int) -> None:
        descriptors = [telling.fileno()]
        descriptors += [each if isinstance(each, int) else each.fileno() for each in streams]
        socket.send_fds(self._channel, [json.dumps(order).encode()], descriptors)


_NUMBER = 4


def _exactly(connection: socket.socket) -> bytes:
    data = b""
    while len(data) < _NUMBER:
        piece = connection.recv(_NUMBER - len(data))
        if not piece:
            raise ConnectionResetError("the process that has imported all of it ended")
        data += piece
    return data


@functools.cache
def _warm(kind: _Kind) -> _Warm:
    return _Warm(kind)


def _serve(channel: socket.socket) -> None:
    """Returns in a fork that is the command that was ordered."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(channel, _BYTES, 4)
        if not data:
            os._exit(0)
        if not os.fork():
            channel.close()
            return _become(json.loads(data), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _become(order: list[Any], telling: int, *streams: int) -> None:
    """Returns in a child, which this process waits for and tells of."""
    if pid := os.fork():
        for stream in (*streams, 0, 1, 2):
            os.close(stream)
        os.write(telling, pid.to_bytes(_NUMBER, "big"))
        os.write(telling, os.waitpid(pid, 0)[1].to_bytes(_NUMBER, "big"))
        os._exit(0)
    os.close(telling)
    words, cwd, environ = order
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, _opened(getattr(sys, name), descriptor))
    sys.argv[:] = [str(CODELOCD), *words]
    sys.orig_argv[:] = [sys.executable, *sys.argv]


def _opened(like: io.TextIOWrapper, descriptor: int) -> io.TextIOWrapper:
    """What was opened over a file takes a pipe for a file, too."""
    buffering = 0 if like.write_through else -1
    return io.TextIOWrapper(
        open(descriptor, "wb", buffering=buffering, closefd=False),
        encoding=like.encoding,
        errors=like.errors,
        line_buffering=like.line_buffering,
        write_through=like.write_through,
    )


def _main() -> None:
    import gc
    import pkgutil
    from importlib import import_module

    import codeloc_envs
    import codelocd
    from codelocd.cli import main

    for package in (codelocd, codeloc_envs):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    del sys.path[0]  # the folder of this file is no part of what is installed
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(main())


if __name__ == "__main__":
    _main()
