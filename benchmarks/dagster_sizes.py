"""Many Dagster locations: start → all loaded, processes and memory, beside `dagster dev`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
SIDES = ("codelocd", "codelocd --dagster", "dagster dev")
COUNTS = (1, 5, 10, 20)
MANY = 20


@dataclass(frozen=True, slots=True)
class Size:
    """Seconds until all is loaded; then processes, and MB of PSS over the whole tree."""

    seconds: float
    processes: int
    megabytes: float


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times less than `dagster dev`; None where nothing is promised."""

    seconds: float | None = None
    memory: float | None = None


NONE, SHARED = Goal(), Goal(10, 5)


def measure(runs: int) -> list[Figure]:
    """In turns, each from its command to the last location loaded, with the memory (PSS) of the
    whole tree right after. `--dagster`: codelocd with Dagster's webserver, daemon and code
    servers; else its own registry alone. Each starts with what an earlier start has learned
    and with an environment that is built already; so does `dagster dev`.
    """
    runs = max(LEAST_RUNS, runs // 2)
    shared = _peers.environment(*_peers.DAGSTER)
    figures: list[Figure] = []
    for count in COUNTS:
        goal = SHARED if count == MANY else NONE
        figures += compared([shared] * count, runs, f"{count} locations", goal)
    return figures


def compared(prefixes: Sequence[Path], runs: int, what: str, goal: Goal) -> list[Figure]:
    """One location for each environment that is given."""
    with folder() as home:
        project = _dagster.write(home / "project", prefixes)
        _alone(project, home)
        with _dagster.ours(project, home) as side:
            side.until_loaded(len(prefixes))
        rounds = [_round(project, home, prefixes) for _ in range(runs)]
    return list(_figures(rounds, what, goal))


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


def _figures(rounds: Sequence[tuple[Size, Size, Size]], what: str, goal: Goal) -> Iterator[Figure]:
    sides = dict(zip(SIDES, zip(*rounds, strict=True), strict=True))

    def figures(aspect: str, unit: str, value: Callable[[Size], float]) -> list[Figure]:
        return [
            Figure(f"{what}: {aspect}, {side}", unit, tuple(map(value, sizes)))
            for side, sizes in sides.items()
        ]

    def compared(aspect: str, ours: Figure, dagsters: Figure, least: float | None) -> Figure:
        return ratio(f"{what}: {aspect}, dagster dev against codelocd", dagsters, ours, least=least)

    starts = figures("start", "s", lambda size: size.seconds)
    memory = figures("memory", "MB", lambda size: size.megabytes)
    yield from starts
    yield compared("start", starts[0], starts[-1], goal.seconds)
    yield from figures("processes", "", lambda size: size.processes)
    yield from memory
    yield compared("memory", memory[0], memory[-1], goal.memory)


if __name__ == "__main__":
    alone(measure, __doc__, LEAST_RUNS)
