"""50 programs under codelocd, supervisord, circusd, pm2 and honcho, from start to stop."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import _projects
from benchmarks._daemon import (
    CODELOCD,
    Daemon,
    first,
    folder,
    plain_environment,
    replaced,
    running,
    started,
)
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks._supervisors import (
    ANNOUNCER,
    SETTLED,
    Supervisor,
    circusd,
    honcho,
    pm2,
    raw_calls,
    supervisord,
)
from benchmarks._tree import cpu, pss, tree

PROGRAMS = 50
KILLS, COMMANDS, CALLS = 5, 5, 100
CALM, REST = 4.0, 15.0
"""Seconds between the last start and the first look, and between two looks at what woke it."""
ROUNDS = {"codelocd": 50, "supervisord": 10, "circusd": 10, "pm2": 50}
"""How often all 50 are killed: 2,500 restarts, or 500 where a round takes seconds by design."""
SECONDS = 120.0

BEFORE = "import os, socket\n" + "\n".join(ANNOUNCER.splitlines()[1:3]) + "\n"
"""A location says that it runs before it loads its definitions."""


def _saying(home: Path) -> str:
    return BEFORE.replace("sys.argv[1]", repr(f"{home}/announced.sock"))


Starts = Callable[[Path, int], AbstractContextManager[Supervisor]]


@dataclass(slots=True)
class Found:
    """What was measured of one supervisor: by the name of a line, its unit and values."""

    lines: dict[str, tuple[str, tuple[float, ...]]] = field(default_factory=dict)

    def add(self, line: str, unit: str, *values: float) -> None:
        if values:
            self.lines[line] = (unit, values)


def measure(runs: int) -> list[Figure]:
    """One supervisor after the other, so that none has the machine beside another. A program says
    that it runs with its first line; a location of codelocd, which loads definitions after that,
    serves later, and both are given. `start` counts from the command that starts the supervisor
    (pm2: its daemon, and then its command). At rest: 15 s, codelocd with its heartbeats. One
    program at a time is killed after 1.5 s: what codelocd restarts has served for longer than its
    `healthy_after`, so it waits for no pause; one that died young would wait 0.1 s first. circusd
    looks for ended programs every 5 s, supervisord every second. Growth is that of the supervisor's
    own process over kills of all 50 at once, 2,500 restarts of codelocd and pm2, 500 of the others.
    honcho restarts nothing and cannot be asked. codelocd's status is the only one that measures the
    memory and CPU of what runs. At rest all counts that a supervisor has beside the programs.
    Where codelocd is behind in a line, this is why: its 50 also load and report definitions, and
    beside them there are a warm interpreter, which makes the next load quick, and a process that
    keeps what serves when the daemon dies. Fewer than three runs: a trial, two rounds of kills.
    """
    supervisors: dict[str, Starts] = {
        "supervisord": supervisord,
        "circusd": circusd,
        "pm2": pm2,
        "honcho": honcho,
    }
    quick = runs < 3
    found = {"codelocd": _ours(quick)}
    for name, starts in supervisors.items():
        found[name] = _theirs(name, starts, quick)
    lines = {line: None for each in found.values() for line in each.lines}
    return [
        Figure(f"{line}: {name}", *found[name].lines[line])
        for line in lines
        for name in found
        if line in found[name].lines
    ]


def _ours(quick: bool) -> Found:
    found = Found()
    with folder() as home, _announced(home) as announced:
        project = _projects.write(home / "project", PROGRAMS)
        started(project, home)  # builds the environment, which is there from then on
        for source in project.glob("*.py"):
            source.write_text(_saying(home) + source.read_text())
        began = time.monotonic()
        with running(project, home) as daemon:
            own = Supervisor(daemon.process, announced, (str(CODELOCD), "status"))
            pids = _start(found, own, began)
            daemon.until_serving()
            found.add("start → the 50th serves", "ms", _since(began))
            _rest(found, own, pids, quick)
            _kill_ours(found, daemon, own, quick)
            _ask(found, own, daemon.project, daemon.environ, quick)
            with daemon.client() as client:
                raw = [_timed(lambda: client.call("status")) for _ in range(CALLS)]
            found.add("raw call", "ms", *raw)
            pids = [each["pid"] or 0 for each in daemon.status()["locations"]]
            _restarts(found, own, pids, 2 if quick else ROUNDS["codelocd"], daemon.until_serving)
            _stop(found, own)
    return found


def _theirs(name: str, starts: Starts, quick: bool) -> Found:
    found = Found()
    with folder() as home:
        began = time.monotonic()
        with starts(home, PROGRAMS) as supervisor:
            pids = _start(found, supervisor, began)
            _rest(found, supervisor, pids, quick)
            if name in ROUNDS:
                _kill_theirs(found, supervisor, pids, quick)
                environ = {"PM2_HOME": f"{home}/pm2/home"} if name == "pm2" else {}
                _ask(found, supervisor, home, plain_environment() | environ, quick)
                found.add("raw call", "ms", *raw_calls(name, home))
                wait = SETTLED if name == "supervisord" else 0.1
                rounds = 2 if quick else ROUNDS[name]
                _restarts(found, supervisor, pids, rounds, lambda: time.sleep(wait))
            _stop(found, supervisor)
    return found


def _start(found: Found, supervisor: Supervisor, began: float) -> list[int]:
    pids = [supervisor.pid()]
    found.add("start → the 1st runs", "ms", _since(began))
    pids += [supervisor.pid() for _ in range(PROGRAMS - 1)]
    found.add("start → the 50th runs", "ms", _since(began))
    return pids


def _rest(found: Found, supervisor: Supervisor, programs: list[int], quick: bool) -> None:
    """Of the supervisor with all that it has beside the programs: honcho has a process for each."""
    seconds = 3.0 if quick else REST
    time.sleep(CALM)
    own = [each for each in tree(supervisor.process.pid) if each.pid not in programs]
    woken, used, began = _wake_ups(own), sum(map(cpu, own)), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    found.add("at rest: CPU", "%", 100 * (sum(map(cpu, own)) - used) / took)
    found.add("at rest: wake-ups", "1/s", (_wake_ups(own) - woken) / took)
    found.add("at rest: memory (PSS)", "MB", pss(own))


def _kill_ours(found: Found, daemon: Daemon, own: Supervisor, quick: bool) -> None:
    run, serve = [], []
    with daemon.client() as client:
        events: Iterator[Any] = iter(client.subscribe(["status"]))
        for _ in range(2 if quick else KILLS):
            time.sleep(SETTLED)
            one = daemon.status()["locations"][0]
            assert one["pid"] is not None
            back = functools.partial(_is_back, one["name"], one["pid"])
            began = time.monotonic()
            os.kill(one["pid"], signal.SIGKILL)
            own.pid()
            run.append(_since(began))
            serve.append(1000 * (first(events, back) - began))
    found.add("kill -9 → the next runs", "ms", *run)
    found.add("kill -9 → the next serves", "ms", *serve)


def _is_back(name: str, victim: int, data: dict[str, Any]) -> bool:
    location = data.get("location")
    return location is not None and location["name"] == name and replaced(location, victim)


def _kill_theirs(found: Found, supervisor: Supervisor, pids: list[int], quick: bool) -> None:
    taken = []
    for number in range(2 if quick else KILLS):
        took, pids[number] = supervisor.kill(pids[number])
        taken.append(took)
    found.add("kill -9 → the next runs", "ms", *taken)


def _ask(
    found: Found, supervisor: Supervisor, place: Path, environ: dict[str, str], quick: bool
) -> None:
    def run() -> object:
        return subprocess.run(
            supervisor.status, cwd=place, env=environ, stdout=subprocess.DEVNULL, check=False
        )

    run()
    found.add("status command", "ms", *(_timed(run) for _ in range(2 if quick else COMMANDS)))


def _restarts(
    found: Found,
    supervisor: Supervisor,
    pids: list[int],
    rounds: int,
    settled: Callable[[], object],
) -> None:
    process = psutil.Process(supervisor.process.pid)
    settled()
    before, files, began = process.memory_info().rss, process.num_fds(), time.monotonic()
    for _ in range(rounds):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        pids = [supervisor.pid() for _ in pids]
        settled()
    grown = (process.memory_info().rss - before) / 1e6
    found.add("restarts: growth of memory over all of them", "MB", grown)
    found.add("restarts: more descriptors at the end", "", process.num_fds() - files)
    found.add("restarts: time for 50", "ms", _since(began) / rounds)


def _stop(found: Found, supervisor: Supervisor) -> None:
    began = time.monotonic()
    supervisor.process.terminate()
    supervisor.process.wait(SECONDS)
    found.add("SIGTERM → all 50 gone", "ms", _since(began))


@contextmanager
def _announced(home: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as announced:
        announced.bind(f"{home}/announced.sock")
        announced.settimeout(SECONDS)
        yield announced


def _wake_ups(processes: list[psutil.Process]) -> int:
    """How often their threads gave up the processor to wait (proc_pid_status(5))."""
    counted = 0
    for process in processes:
        for status in Path(f"/proc/{process.pid}/task").glob("*/status"):
            lines = status.read_text().splitlines()
            counted += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return counted


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return _since(began)


def _since(began: float) -> float:
    return 1000 * (time.monotonic() - began)


if __name__ == "__main__":
    alone(measure, __doc__, default=3)
