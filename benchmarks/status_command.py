"""`codelocd status` as a whole process, against an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, Daemon, folder, running
from benchmarks._measure import Figure, alone, ratio

TARGET = 3.0


def measure(runs: int) -> list[Figure]:
    """Pairs, after one of each that only warms the caches."""
    with folder() as home:
        project = _projects.write(home / "project", locations=3)
        with running(project, home) as daemon:
            daemon.until_serving()
            _warm_up, *pairs = [
                (_run([CODELOCD, "status"], daemon), _run([sys.executable, "-c", "pass"], daemon))
                for _ in range(runs + 1)
            ]
    statuses, nothings = zip(*pairs, strict=True)
    status = Figure("codelocd status, the whole process", "ms", statuses)
    nothing = Figure("python -c pass, the same interpreter", "ms", nothings)
    times = ratio("codelocd status, against python -c pass", status, nothing, TARGET)
    return [status, nothing, times]


def _run(command: Sequence[str | Path], daemon: Daemon) -> float:
    started = time.monotonic()
    subprocess.run(
        command, cwd=daemon.project, env=daemon.environ, stdout=subprocess.DEVNULL, check=True
    )
    return 1000 * (time.monotonic() - started)


if __name__ == "__main__":
    alone(measure, __doc__, default=20)
