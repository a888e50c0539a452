"""The status command, as a whole process, beside those of supervisord and circusd."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, folder, plain_environment, running
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks._supervisors import circusd, supervisord

TARGET = 3.0
TAB_TARGET = 100.0
TAB = {
    "_CODELOCD_COMPLETE": "bash_complete",
    "CODELOCD_TYPED": "codelocd restart ",
    "CODELOCD_BREAKS": " :=",
}
PROGRAMS = 3


def measure(runs: int) -> list[Figure]:
    """In turns, with three locations or programs each, after one of each that warms the caches;
    the floor is an interpreter that does nothing.
    """
    with (
        folder() as home,
        running(_projects.write(home / "project", PROGRAMS), home) as daemon,
        supervisord(home, PROGRAMS) as theirs,
        circusd(home, PROGRAMS) as circus,
    ):
        daemon.until_serving()
        for _ in range(PROGRAMS):
            theirs.pid()
            circus.pid()
        commands: dict[str, Sequence[str | Path]] = {
            "codelocd status": [CODELOCD, "status"],
            "python -c pass": [sys.executable, "-c", "pass"],
            "supervisorctl status": theirs.status,
            "circusctl status": circus.status,
        }
        _warm_up, *rounds = [
            tuple(_run(each, daemon.project, daemon.environ) for each in commands.values())
            for _ in range(runs + 1)
        ]
        asking = {**daemon.environ, **TAB}
        _first, *tabs = [_run([CODELOCD], daemon.project, asking) for _ in range(runs + 1)]
    figures = [
        Figure(name, "ms", times)
        for name, times in zip(commands, zip(*rounds, strict=True), strict=True)
    ]
    ours, floor, other, _circus = figures
    return [
        *figures,
        Figure("names of locations at TAB, as bash asks", "ms", tuple(tabs), target=TAB_TARGET),
        ratio("codelocd status, against python -c pass", ours, floor, TARGET),
        ratio("supervisorctl status, against codelocd status", other, ours),
    ]


def _run(command: Sequence[str | Path], project: Path, environ: Mapping[str, str]) -> float:
    """supervisorctl exits with 3 where a program has not run for a second yet."""
    started = time.monotonic()
    subprocess.run(
        command,
        cwd=project,
        env={**plain_environment(), **environ},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return 1000 * (time.monotonic() - started)


if __name__ == "__main__":
    alone(measure, __doc__, default=20)
