"""Runners that are forks of an interpreter in which Dagster is imported: the second way to start
one, for tests of what comes after the imports. Those take a second of work in each cold start.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36


class Fork:
    """A fork as `subprocess.Popen` would show it, as far as tests look."""

    def __init__(self, pid: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdout = os.fdopen(stdout, "rb")
        self.stderr = os.fdopen(stderr, "rb")
        self.returncode: int | None = None

    def wait(self, timeout: float) -> int:
        """Its exit status, or minus the number of the signal that ended it."""
        if self.returncode is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                ended, _, _ = select.select([descriptor], [], [], timeout)
            finally:
                os.close(descriptor)
            assert ended, f"{self.pid} has not ended"
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class WarmInterpreter:
    """It has imported Dagster, and is asked for forks as the daemon asks. Linux only."""

    def __init__(self, python: str, bundle: Path, variables: dict[str, str]) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # a fork wants to be adopted
        self.channel, theirs = socket.socketpair()
        with theirs:
            told = {"channel_fd": theirs.fileno(), "parent": os.getpid()}
            self.process = subprocess.Popen(
                [python, str(bundle / "codeloc_runner" / "__main__.py"), json.dumps(told)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env=variables,
                start_new_session=True,
            )
        self.send({"modules": ["dagster"], "sharing": True, "carefully": False}, [])
        with self.channel.makefile("rb") as reports:
            assert json.loads(reports.readline())["blockers"] == []

    def send(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        data = json.dumps({"cold": {}, "decisive": [], **order}).encode()
        socket.send_fds(self.channel, [len(data).to_bytes(8, "big")], descriptors)
        self.channel.sendall(data)

    def fork(self, settings: dict[str, Any], variables: dict[str, str]) -> Fork:
        """A runner with these settings."""
        order = {"location": "sales", "settings": json.dumps(settings)}
        return self.ordered(order, [settings["socket_fd"]], variables)

    def ordered(
        self, process: dict[str, Any], descriptors: list[int], variables: dict[str, str]
    ) -> Fork:
        """The process that an order describes."""
        order = {
            **process,
            "order": "fork",
            "variables": variables,
            "parent": os.getpid(),
        }
        stdout, out = os.pipe()
        stderr, err = os.pipe()
        hearing, telling = socket.socketpair()
        with hearing:
            with telling:
                self.send(order, [*descriptors, out, err, telling.fileno()])
            os.close(out)
            os.close(err)
            said = json.loads(hearing.recv(65536))
        assert "pid" in said, said
        return Fork(said["pid"], stdout, stderr)

    def end(self) -> None:
        self.channel.close()
        self.process.wait()
