"""108 MB of output in 1,048,576 lines by one process, which five supervisors keep."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal

import psutil

from benchmarks._daemon import CODELOCD, folder, plain_environment, xdg
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks._supervisors import (
    CIRCUS_PROGRAM,
    SECONDS,
    SUPERVISORD_PROGRAM,
    Supervisor,
    circusd,
    honcho,
    pm2,
    supervisord,
)

MOST_RUNS = 3
PATIENCE = 300.0
"""Seconds for all of it to be written: honcho takes minutes on a busy machine."""
LINES = 1024 * 1024
Writes = Literal["lines", "blocks"]
GOALS: dict[Writes, float] = {"lines": 2.0, "blocks": 1.0}
"""Seconds that the process may need; on a machine at rest."""

FLOOD = """\
import os, socket, sys, time
lines = [b"%08d " % n + b"x" * 94 + b"\\n" for n in range(LINES)]
size = 40 if WRITES == "blocks" else 1
pieces = [b"".join(lines[n:n + size]) for n in range(0, len(lines), size)]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
    told.connect(sys.argv[1])
    told.send(b"0")
    began = time.monotonic()
    for piece in pieces:
        while piece:
            piece = piece[os.write(1, piece):]
    told.send(b"%d" % (1e6 * (time.monotonic() - began)))
time.sleep(1e6)
"""
"""Says when it begins, and how many microseconds it took; a block has 4,160 bytes."""

LOGGED = SUPERVISORD_PROGRAM + "stdout_logfile={home}/out.log\n"
STREAMED = CIRCUS_PROGRAM + (
    "stdout_stream.class = FileStream\nstdout_stream.filename = {home}/out.log\n"
)

STARTING = """\
import subprocess, sys
from codeloc import Definitions
subprocess.Popen([sys.executable, "-I", "-S", "flood.py", "announced.sock"])
defs = Definitions()
"""

Starts = Callable[[Path, str], AbstractContextManager[Supervisor]]


def measure(runs: int) -> list[Figure]:
    """In turns. The seconds are those in which the process has written everything; a pipe that is
    full keeps it waiting. CPU is that of the supervisor, until all is in its files; honcho prints
    it all to one file, with a name and a time before each line.
    """
    found: list[Figure] = []
    for writes, goal in GOALS.items():
        starts: dict[str, Starts] = {
            "codelocd": _codelocd,
            "supervisord": lambda home, script: supervisord(home, 1, script, LOGGED),
            "circusd": lambda home, script: circusd(home, 1, script, STREAMED),
            "pm2": lambda home, script: pm2(home, 1, script),
            "honcho": lambda home, script: honcho(home, 1, script),
        }
        taken = {
            name: [_flood(start, writes) for _ in range(min(runs, MOST_RUNS))]
            for name, start in starts.items()
        }
        figures = {
            name: Figure(
                f"{name}: 108 MB in {writes}",
                "s",
                tuple(wall for wall, _ in each),
                goal if name == "codelocd" else None,
            )
            for name, each in taken.items()
        }
        cpu = [
            Figure(f"{name}: CPU for 108 MB in {writes}", "s", tuple(used for _, used in each))
            for name, each in taken.items()
        ]
        against = ratio(
            f"108 MB in {writes}, against supervisord", figures["codelocd"], figures["supervisord"]
        )
        found += [*figures.values(), *cpu, against]
    return found


def _flood(starts: Starts, writes: Writes) -> tuple[float, float]:
    """Seconds of the process, and of the supervisor's CPU."""
    script = f"LINES, WRITES = {LINES}, {writes!r}\n{FLOOD}"
    with folder() as home, starts(home, script) as supervisor:
        supervisor.pid()
        supervisor.announced.settimeout(PATIENCE)
        before = _cpu(supervisor)
        seconds = supervisor.pid() / 1e6
        return seconds, _at_rest(supervisor) - before


def _at_rest(supervisor: Supervisor) -> float:
    """The CPU that the supervisor has used once it uses no more."""
    used, before = _cpu(supervisor), -1.0
    while used - before > 0.01:
        psutil.Process(supervisor.process.pid).cpu_percent(interval=0.5)
        used, before = _cpu(supervisor), used
    return used


def _cpu(supervisor: Supervisor) -> float:
    times = psutil.Process(supervisor.process.pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def _codelocd(home: Path, script: str) -> Iterator[Supervisor]:
    """A service; what its one location starts prints to where the location prints."""
    (home / "flood.py").write_text(script)
    (home / "defs.py").write_text(STARTING)
    (home / "codelocd.toml").write_text('[location.flood]\npython_file = "defs.py"\n')
    environ = plain_environment() | xdg(home)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as announced,
        (home / "log").open("wb") as log,
    ):
        announced.bind(f"{home}/announced.sock")
        announced.settimeout(SECONDS)
        process = subprocess.Popen(
            [CODELOCD, "serve", "--user", "-c", "codelocd.toml"],
            cwd=home,
            env=environ,
            stdout=log,
            stderr=log,
        )
        try:
            yield Supervisor(process, announced, ())
        finally:
            process.terminate()
            process.wait(SECONDS)


if __name__ == "__main__":
    alone(measure, __doc__, default=MOST_RUNS)
