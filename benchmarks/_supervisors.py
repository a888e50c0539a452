"""supervisord, circusd, pm2 and honcho, with Python programs that only say that they are there."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks._daemon import NothingHappened, plain_environment
from benchmarks._peers import PEERS, environment, program
from benchmarks._peers import pm2 as pm2_folder
from benchmarks._tree import tree

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


@contextmanager
def pm2(home: Path, programs: int = 1, script: str = ANNOUNCER) -> Iterator[Supervisor]:
    """Its daemon in the foreground, and then its command that starts the programs."""
    place, daemon = home / "pm2", pm2_folder()
    command = _command(place, script)
    app = {"script": command[-2], "interpreter": command[0], "interpreter_args": command[1:-2]}
    told = {"args": command[-1:], "out_file": f"{place}/out.log", "max_restarts": 10**9}
    apps = [{"name": f"p{number}", **app, **told} for number in range(programs)]
    (place / "apps.json").write_text(json.dumps({"apps": apps}))
    for name in ("logs", "pids", "modules"):
        (place / "home" / name).mkdir(parents=True)
    environ = plain_environment() | {"PM2_HOME": f"{place}/home", "PM2_DISCRETE_MODE": "true"}
    node = [str(daemon / "bin" / "pm2")]
    with _running(
        place, ["node", str(daemon / "lib" / "Daemon.js")], (*node, "jlist"), environ
    ) as supervisor:
        while not (place / "home" / "rpc.sock").exists():
            if supervisor.process.poll() is not None:
                raise NothingHappened((place / "log").read_text())
            time.sleep(0.002)
        start = [*node, "start", f"{place}/apps.json"]
        starting = subprocess.Popen(start, env=environ, stdout=subprocess.DEVNULL)
        try:
            yield supervisor
        finally:
            starting.wait(SECONDS)


@contextmanager
def honcho(home: Path, programs: int = 1, script: str = ANNOUNCER) -> Iterator[Supervisor]:
    """It restarts nothing, and has no command that asks it."""
    place = home / "honcho"
    command = shlex.join(_command(place, script))
    lines = [f"p{number}: exec {command}\n" for number in range(programs)]
    (place / "Procfile").write_text("".join(lines))
    with _running(
        place, [program("honcho", "honcho"), "start", "-f", str(place / "Procfile")], ()
    ) as supervisor:
        yield supervisor


CALLS = 100
RAW = {
    "supervisord": """\
import sys, time, xmlrpc.client
from supervisor.xmlrpc import SupervisorTransport
told = SupervisorTransport(None, None, serverurl="unix://" + sys.argv[1])
server = xmlrpc.client.ServerProxy("http://127.0.0.1", told)
ask = server.supervisor.getAllProcessInfo
""",
    "circusd": """\
import sys, time
from circus.client import CircusClient
client = CircusClient(endpoint="ipc://" + sys.argv[1])
ask = lambda: client.send_message("status")
""",
}
TIMED = """\
for _ in range(CALLS):
    began = time.monotonic()
    ask()
    print(1000 * (time.monotonic() - began))
"""
RAW_PM2 = """\
const pm2 = require(process.argv[1]);
const ask = (left) => {
  if (!left) process.exit(0);
  const began = process.hrtime.bigint();
  pm2.list(() => { console.log(Number(process.hrtime.bigint() - began) / 1e6); ask(left - 1); });
};
pm2.connect(() => ask(CALLS));
"""


def raw_calls(name: str, home: Path) -> tuple[float, ...]:
    """Milliseconds of a question for all states on an open connection, as the supervisor's own
    library asks it; () where it has none."""
    if name == "pm2":
        command = ["node", "-e", RAW_PM2.replace("CALLS", str(CALLS)), str(pm2_folder())]
        environ = {"PM2_HOME": f"{home}/pm2/home"}
    elif name in RAW:
        peer = "supervisor" if name == "supervisord" else "circus"
        code = RAW[name] + TIMED.replace("CALLS", str(CALLS))
        python = environment(*PEERS[peer]) / "bin" / "python"
        folder = "supervisord" if name == "supervisord" else "circus"
        command, environ = [str(python), "-c", code, f"{home}/{folder}/control.sock"], {}
    else:
        return ()
    done = subprocess.run(
        command, env=plain_environment() | environ, capture_output=True, text=True, check=True
    )
    return tuple(map(float, done.stdout.split()))


def _command(home: Path, code: str) -> list[str]:
    home.mkdir()
    script = home / "program.py"
    script.write_text(code)
    return [sys.executable, "-I", "-S", str(script), f"{home}/announced.sock"]


def _config(home: Path, head: str, each: str, programs: int, code: str) -> Path:
    command = shlex.join(_command(home, code))
    tables = [each.format(number=n, command=command, home=home) for n in range(programs)]
    config = home / "config.ini"
    config.write_text(head.format(home=home) + "".join(tables))
    return config


@contextmanager
def _running(
    home: Path,
    command: list[str],
    status: tuple[str, ...],
    environ: Mapping[str, str] | None = None,
) -> Iterator[Supervisor]:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as announced,
        (home / "log").open("wb") as log,
    ):
        announced.bind(f"{home}/announced.sock")
        announced.settimeout(SECONDS)
        process = subprocess.Popen(
            command, cwd=home, env=environ or plain_environment(), stdout=log, stderr=log
        )
        try:
            yield Supervisor(process, announced, status)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """honcho first prints all that it has read, which may be minutes of a flood: it is killed."""
    if process.poll() is not None:
        return
    family = tree(process.pid)
    process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        for each in family:
            with suppress(psutil.Error):
                each.kill()
        process.wait(SECONDS)
