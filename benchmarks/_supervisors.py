"""supervisord and circusd, each with Python programs that only say that they are there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._daemon import NothingHappened, plain_environment
from benchmarks._peers import program

SECONDS = 60.0
"""For a program to be there again: circusd looks every 5 s."""
SETTLED = 1.5
"""Seconds after which supervisord counts a program as started (`startsecs` is 1)."""

ANNOUNCER = """\
import os, socket, sys, time
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
    told.sendto(str(os.getpid()).encode(), sys.argv[1])
time.sleep(1e6)
"""

SUPERVISORD = """\
[unix_http_server]
file={home}/control.sock
[supervisord]
nodaemon=true
logfile={home}/supervisord.log
pidfile={home}/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{home}/control.sock
"""
SUPERVISORD_PROGRAM = "[program:p{number}]\ncommand={command}\nautorestart=true\n"

CIRCUS = """\
[circus]
endpoint = ipc://{home}/control.sock
pubsub_endpoint = ipc://{home}/events.sock
"""
CIRCUS_PROGRAM = "[watcher:p{number}]\ncmd = {command}\n"


@dataclass(frozen=True, slots=True)
class Supervisor:
    """One that runs; `status` is its command that prints the states of its programs."""

    process: subprocess.Popen[bytes]
    announced: socket.socket
    status: tuple[str, ...]

    def pid(self) -> int:
        """Of the next program that says it is there."""
        try:
            return int(self.announced.recv(64))
        except TimeoutError:
            raise NothingHappened("no program started") from None

    def kill(self, victim: int) -> tuple[float, int]:
        """Milliseconds from kill -9 until the replacement says it is there, and its pid."""
        time.sleep(SETTLED)
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        replacement = self.pid()
        return 1000 * (time.monotonic() - killed), replacement


@contextmanager
def supervisord(
    home: Path, programs: int = 1, script: str = ANNOUNCER, each: str = SUPERVISORD_PROGRAM
) -> Iterator[Supervisor]:
    """`script` is what each program runs, `each` its part of the config."""
    config = _config(home / "supervisord", SUPERVISORD, each, programs, script)
    control = program("supervisor", "supervisorctl")
    command = [program("supervisor", "supervisord"), "-c", str(config)]
    with _running(config.parent, command, (control, "-c", str(config), "status")) as supervisor:
        yield supervisor


@contextmanager
def circusd(
    home: Path, programs: int = 1, script: str = ANNOUNCER, each: str = CIRCUS_PROGRAM
) -> Iterator[Supervisor]:
    """`script` is what each program runs, `each` its part of the config."""
    config = _config(home / "circus", CIRCUS, each, programs, script)
    endpoint = f"ipc://{config.parent}/control.sock"
    status = (program("circus", "circusctl"), "--endpoint", endpoint, "status")
    with _running(config.parent, [program("circus", "circusd"), str(config)], status) as supervisor:
        yield supervisor


def _config(home: Path, head: str, each: str, programs: int, code: str) -> Path:
    home.mkdir()
    script = home / "program.py"
    script.write_text(code)
    command = f"{sys.executable} -I -S {script} {home}/announced.sock"
    tables = [each.format(number=n, command=command, home=home) for n in range(programs)]
    config = home / "config.ini"
    config.write_text(head.format(home=home) + "".join(tables))
    return config


@contextmanager
def _running(home: Path, command: list[str], status: tuple[str, ...]) -> Iterator[Supervisor]:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as announced,
        (home / "log").open("wb") as log,
    ):
        announced.bind(f"{home}/announced.sock")
        announced.settimeout(SECONDS)
        process = subprocess.Popen(
            command, cwd=home, env=plain_environment(), stdout=log, stderr=log
        )
        try:
            yield Supervisor(process, announced, status)
        finally:
            process.terminate()
            process.wait(SECONDS)
