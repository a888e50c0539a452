"""What floods cost: of requests, of unread answers, of definitions. A program of its own.

Each beside a well-behaved client, a process of its own that asks for `status` every 20 ms on a
connection that it had before.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks._daemon import Daemon, folder, running
from codelocd.client import Client
from codelocd.rpc.messages import pack, request

SMALL = """\
from codeloc import Definitions, asset
@asset
def one(): ...
defs = Definitions(assets=[one])
"""
LARGE = """\
from codeloc import Definitions, asset
def make(n):
    @asset(key=[f"k{n}"], deps=[f"k{n - 1}"] if n else [])
    def made(): ...
    return made
defs = Definitions(assets=[make(n) for n in range(COUNT)])
"""
HEAD = """\
| beside | answers | median ms | p99 ms | longest ms | MiB before | peak | afterwards | runner |
|---|---|---|---|---|---|---|---|---|"""
CONFIG = '[location.small]\npython_file = "small.py"\n[location.large]\npython_file = "large.py"\n'
CONNECTIONS = 1000
FORK = multiprocessing.get_context("fork")


def ask_for_ever(path: str, log: str) -> None:
    """The well-behaved client: seconds of each answer, a line each."""
    with Client(path) as client, open(log, "w", buffering=1) as lines:
        while True:
            began = time.perf_counter()
            client.call("status", timeout=None)
            lines.write(f"{time.perf_counter() - began}\n")
            time.sleep(0.02)


def connections(path: str) -> list[socket.socket]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 2 * CONNECTIONS), most))
    made = []
    for _ in range(CONNECTIONS):
        each = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            each.connect(path)
        each.setblocking(False)
        made.append(each)
    return made


def flood(path: str) -> None:
    """1,000 connections that ask as fast as they can, and read."""
    asked = b"".join(pack(request(number, "status", {})) for number in range(16))
    made = connections(path)
    while True:
        for each in made:
            with contextlib.suppress(OSError):
                each.send(asked)
                each.recv(1 << 20)


def leave_unread(path: str) -> None:
    """1,000 connections, each of which asks for everything and reads nothing."""
    made = connections(path)
    for each in made:
        with contextlib.suppress(OSError):
            each.send(b"".join(pack(request(n, "definitions", {})) for n in range(16)))
    time.sleep(1e6)


class Flooded:
    """A daemon, its well-behaved client, and what becomes of both."""

    def __init__(self, daemon: Daemon, path: str, home: Path) -> None:
        self._process = psutil.Process(daemon.process.pid)
        self._path = path
        self._log = home / "latencies"
        self._client = FORK.Process(target=ask_for_ever, args=(path, str(self._log)), daemon=True)
        self._client.start()
        while not self._log.exists():
            time.sleep(0.01)

    def beside(self, name: str, attack: Callable[[str], None], seconds: float, rest: float) -> None:
        """Print a row of what an attacker's process costs, and `rest` seconds after its end."""
        before, runners = self._memory(), self._runners()
        first, peak, end = len(self._seconds()), before, time.monotonic() + seconds
        attacker = FORK.Process(target=attack, args=(self._path,), daemon=True)
        attacker.start()
        while time.monotonic() < end:
            peak = max(peak, self._memory())
            time.sleep(0.05)
        found = sorted(self._seconds()[first:]) or [float("inf")]
        attacker.terminate()
        attacker.join()
        time.sleep(rest)
        p99 = found[min(len(found) - 1, int(len(found) * 0.99))]
        same = "untouched" if runners <= self._runners() else "replaced"
        print(
            f"| {name} | {len(found)} | {statistics.median(found) * 1e3:.0f} | {p99 * 1e3:.0f} | "
            f"{found[-1] * 1e3:.0f} | {before} | {peak} | {self._memory()} | {same} |",
            flush=True,
        )

    def close(self) -> None:
        self._client.terminate()

    def _seconds(self) -> list[float]:
        return [float(line) for line in self._log.read_text().splitlines(keepends=True)[:-1]]

    def _memory(self) -> int:
        return int(self._process.memory_info().rss / 2**20)

    def _runners(self) -> set[int]:
        with Client(self._path) as client:
            entries = client.call("status", timeout=None)["locations"]
        return {each["pid"] for each in entries if each["name"] == "small"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rest", type=float, default=60, help="until `afterwards`")
    chosen = parser.parse_args()
    with folder() as place:
        home, project = place / "home", place / "project"
        home.mkdir(mode=0o700)
        project.mkdir()
        for name in ("small", "large"):
            (project / f"{name}.py").write_text(SMALL)
        (project / "codelocd.toml").write_text(CONFIG)
        with running(project, home) as daemon:
            daemon.until_serving()
            path = str(daemon.socket())
            flooded = Flooded(daemon, path, home)
            print(HEAD)

            def grow(_path: str) -> None:
                text = LARGE.replace("COUNT", str(chosen.assets))
                (project / "large.py").write_text(text)
                time.sleep(1e6)

            flooded.beside("nothing", lambda _path: time.sleep(1e6), 5, 0)
            flooded.beside("1,000 connections that ask", flood, chosen.seconds, chosen.rest)
            loading = max(chosen.seconds, chosen.assets / 1000)
            flooded.beside(f"a location of {chosen.assets:,} assets", grow, loading, 0)
            rows = chosen.seconds, chosen.rest
            flooded.beside("1,000 connections that do not read", leave_unread, *rows)
            flooded.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
