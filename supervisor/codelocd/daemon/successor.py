"""What a daemon leaves to the code that is installed now, which goes on under the same pid."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from codelocd.rpc.errors import RpcError

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
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, environ)  # noqa: S606  no shell
