"""Many Dagster locations: start → all loaded, processes and memory, beside `dagster dev`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _dagster, _peers
from benchmarks._daemon import folder, running
from benchmarks._dagster import Side
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks._tree import pss, tree

LEAST_RUNS = 5
COUNTS = (1, 5, 10, 20)
MANY, ENVIRONMENTS = 20, 10
EXTRAS = ("iniconfig", "six", "toml", "packaging", "idna", "certifi", "attrs", "pluggy", "zipp")
"""One more package each makes the other environments."""


@dataclass(frozen=True, slots=True)
class Size:
    """Seconds until all is loaded; then processes, and MB of PSS over the whole tree."""

    seconds: float
    processes: int
    megabytes: float


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times less than `dagster dev`."""

    seconds: float
    memory: float


SHARED, SEPARATE = Goal(10, 5), Goal(3, 2)


def measure(runs: int) -> list[Figure]:
    """In turns, each from its command to the last location loaded, with the memory (PSS) of the
    whole tree right after. `--dagster`: codelocd with Dagster's webserver, daemon and code
    servers; else its own registry alone. Each starts with what an earlier start has learned
    and with an environment that is built already; so does `dagster dev`.
    """
    runs = max(LEAST_RUNS, runs // 2)
    shared = _peers.environment(*_peers.DAGSTER)
    separate = [shared, *(_peers.environment(*_peers.DAGSTER, extra) for extra in EXTRAS)]
    figures = []
    for count in COUNTS:
        goal = SHARED if count == MANY else None
        figures += _compared([shared] * count, runs, f"{count} locations", goal)
    mixed = [separate[number % ENVIRONMENTS] for number in range(MANY)]
    return [*figures, *_compared(mixed, runs, f"{MANY} in {ENVIRONMENTS} environments", SEPARATE)]


def _compared(prefixes: Sequence[Path], runs: int, what: str, goal: Goal | None) -> list[Figure]:
    with folder() as home:
        project = _dagster.write(home / "project", prefixes)
        _alone(project, home)
        with _dagster.ours(project, home) as side:
            side.until_loaded(len(prefixes))
        rounds = [_round(project, home, prefixes) for _ in range(runs)]
    return _figures(rounds, what, goal)


def _round(project: Path, home: Path, prefixes: Sequence[Path]) -> tuple[Size, Size, Size]:
    count = len(prefixes)
    return (
        _alone(project, home),
        _page(_dagster.ours(project, home), count),
        _page(_dagster.dagster_dev(project, prefixes[0]), count),
    )


def _alone(project: Path, home: Path) -> Size:
    began = time.monotonic()
    with running(project, home) as daemon:
        daemon.until_serving()
        return _size(time.monotonic() - began, daemon.process.pid)


def _page(starting: AbstractContextManager[Side], count: int) -> Size:
    with starting as side:
        return _size(side.until_loaded(count) - side.began, side.process.pid)


def _size(seconds: float, pid: int) -> Size:
    processes = tree(pid)
    return Size(seconds, len(processes), pss(processes))


def _figures(
    rounds: Sequence[tuple[Size, Size, Size]], what: str, goal: Goal | None
) -> list[Figure]:
    sides = ("codelocd", "codelocd --dagster", "dagster dev")
    by_side = list(zip(*rounds, strict=True))
    starts = [
        Figure(f"{what}: start, {name}", "s", tuple(size.seconds for size in sizes))
        for name, sizes in zip(sides, by_side, strict=True)
    ]
    processes = [
        Figure(f"{what}: processes, {name}", "", tuple(float(size.processes) for size in sizes))
        for name, sizes in zip(sides, by_side, strict=True)
    ]
    memory = [
        Figure(f"{what}: memory, {name}", "MB", tuple(size.megabytes for size in sizes))
        for name, sizes in zip(sides, by_side, strict=True)
    ]
    return [
        *starts,
        ratio(
            f"{what}: start, dagster dev against codelocd",
            starts[2],
            starts[0],
            least=goal and goal.seconds,
        ),
        *processes,
        *memory,
        ratio(
            f"{what}: memory, dagster dev against codelocd",
            memory[2],
            memory[0],
            least=goal and goal.memory,
        ),
    ]


if __name__ == "__main__":
    alone(measure, __doc__, LEAST_RUNS)
