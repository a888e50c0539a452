"""The same process with the code that is installed now: what it serves goes on meanwhile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping

from codelocd.rpc.errors import RpcError

TRIAL = "import codelocd.cli.commands.serve, codelocd.daemon.service"
TRIAL_SECONDS = 60.0


class Successor:
    """Of this process, under its number: for a service manager nothing ends.

    `environ`: the variables that this process was started with.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.is_due = False

    def try_out(self) -> None:
        """Whether the code can be imported at all. Blocks. Raises RpcError."""
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

    def begin(self, passed: socket.socket | None) -> None:
        """Become it, at once; `passed`: the socket that a service manager has handed over."""
        if passed is not None:
            os.set_inheritable(passed.fileno(), True)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        command = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, command, dict(self._environ))  # noqa: S606  no shell
