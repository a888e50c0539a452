"""The installed `codelocd`, started in two ways.

`run` takes the second one where both show the same: a fork of a process that has imported all
of it. What a command does, it does in a process of its own; a sixth of a second of imports, in
hundreds of tests, is done once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    kind = frozenset(each for each in environ.items() if each[0].startswith(READ_AT_START))
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


_Kind = frozenset[tuple[str, str]]
_asked: Counter[_Kind] = Counter()


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
                descriptors = [telling.fileno(), *(each.fileno() for each in streams)]
                socket.send_fds(self._channel, [json.dumps(order).encode()], descriptors)
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
    sys.argv[:] = [str(CODELOCD), *words]
    return


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
