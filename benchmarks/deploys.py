"""A hundred calls a second through ten deploys and two rollbacks."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, Daemon, folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone
from codelocd.client import RpcError

DEPLOYS, ROLLBACKS = 10, 2
RATE = 100
FILES = 500
"""In a release, with a line of code each; one of them is another one in each deploy."""


def measure(_runs: int) -> list[Figure]:
    """Once, of a release of 500 files. A call that failed is one that the daemon answered with an
    error; how long the others took is measured while the deploys go on.
    """
    with folder() as home, running(_projects.write(home / "project", 1), home) as daemon:
        daemon.until_serving()
        source = home / "source"
        _write(source, daemon.project)
        calls = _Calls(daemon)
        thread = threading.Thread(target=calls.go_on)
        thread.start()
        deploys = [_deployed(daemon, source, number) for number in range(DEPLOYS)]
        rollbacks = [_timed(daemon, "rollback") for _ in range(ROLLBACKS)]
        calls.ended.set()
        thread.join()
    return [
        Figure("calls that failed", "calls", (float(calls.failed),), target=0.0),
        Figure("calls a second", "calls", (calls.rate,), least=0.95 * RATE),
        Figure("a call", "ms", tuple(calls.milliseconds)),
        Figure("codelocd deploy, as a whole process", "ms", tuple(deploys)),
        Figure("codelocd rollback, as a whole process", "ms", tuple(rollbacks)),
    ]


class _Calls:
    """One after the other, at the rate, whatever each took."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.ended = threading.Event()
        self.milliseconds: list[float] = []
        self.failed = 0
        self.rate = 0.0

    def go_on(self) -> None:
        began, sent = time.monotonic(), 0
        asked = {"location": "location_0", "method": "describe"}
        with self._daemon.client() as client:
            while not self.ended.is_set():
                before = time.monotonic()
                try:
                    client.call("call", asked)
                except RpcError:
                    self.failed += 1
                now = time.monotonic()
                self.milliseconds.append(1000 * (now - before))
                sent += 1
                time.sleep(max(0.0, began + sent / RATE - now))
        self.rate = sent / (time.monotonic() - began)


def _write(source: Path, project: Path) -> None:
    for number in range(FILES):
        path = source / f"package_{number % 20}" / f"module_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n")
    for path in project.rglob("*.py"):
        copy = source / path.relative_to(project)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


def _deployed(daemon: Daemon, source: Path, number: int) -> float:
    (source / "package_0/module_0.py").write_text(f"value = {-number}\n")
    return _timed(daemon, "deploy", "--source", str(source))


def _timed(daemon: Daemon, verb: str, *arguments: str) -> float:
    began = time.monotonic()
    subprocess.run(
        [CODELOCD, verb, "location_0", *arguments],
        cwd=daemon.project,
        env=daemon.environ,
        capture_output=True,
        check=True,
    )
    return 1000 * (time.monotonic() - began)


if __name__ == "__main__":
    alone(measure, __doc__, default=1)
