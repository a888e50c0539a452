"""Dagster's own page under `codelocd dev --dagster` and under `dagster dev`, side by side."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import _dagster
from benchmarks._daemon import NothingHappened, folder
from benchmarks._dagster import Side
from benchmarks._measure import Figure, alone, ratio

LEAST_RUNS = 5
LOCATIONS = (1, 5, 10, 20)
WATCHED = 20.0
"""Seconds for which a killed code server is waited for; `dagster dev` never brings it back."""


Size = tuple[float, float, float]
"""Seconds, processes, MiB."""


def measure(runs: int) -> list[Figure]:
    """At least five of each; both sides take turns."""
    runs = max(LEAST_RUNS, runs)
    prefix = _dagster.environment()
    return [*_saves(prefix, runs), *_kills(prefix, runs), *_sizes(prefix, runs, LOCATIONS)]


def _saves(prefix: Path, runs: int) -> list[Figure]:
    """A save of ours shows by itself; Dagster is sent its reload mutation at once."""
    with folder() as home:
        mine = _dagster.write(home / "ours", 1, prefix)
        theirs = _dagster.write(home / "theirs", 1, prefix)
        with _dagster.ours(mine) as us, _dagster.dagster_dev(theirs, prefix) as them:
            us.until_loaded(1)
            them.until_loaded(1)
            pairs = [
                (_save(us, f"ours_{run}", reload=False), _save(them, f"theirs_{run}", reload=True))
                for run in range(runs)
            ]
    ours, dagsters = zip(*pairs, strict=True)
    first = Figure("save → new asset on Dagster's page, codelocd", "s", ours)
    second = Figure("… dagster dev, told to reload", "s", dagsters)
    return [first, second, ratio("… how many times Dagster's", second, first)]


def _save(side: Side, newest: str, *, reload: bool) -> float:
    saved = time.monotonic()
    (side.project / "location_0.py").write_text(_dagster.SOURCE.format(newest=newest))
    if reload:
        side.ask(_dagster.RELOAD)
    return side.until(lambda: side.has_asset(newest)) - saved


def _kills(prefix: Path, runs: int) -> list[Figure]:
    ours = [_kill(prefix, run, is_ours=True) for run in range(runs)]
    dagsters = [_kill(prefix, run, is_ours=False) for run in range(runs)]
    name = f"… dagster dev, watched for {WATCHED:g} s"
    return [
        Figure("kill -9 of a code server → it answers again, codelocd", "s", tuple(ours)),
        Figure(name, "s", tuple(dagsters)),
    ]


def _kill(prefix: Path, run: int, *, is_ours: bool) -> float:
    with folder() as home:
        project = _dagster.write(home / f"project_{run}", 1, prefix)
        with _start(project, prefix, is_ours) as side:
            side.until_loaded(1)
            side.until(side.serves)
            killed = _dagster.kill(side.code_server())
            try:
                return side.until(side.serves, WATCHED) - killed
            except NothingHappened:
                return WATCHED


def _sizes(prefix: Path, runs: int, counts: tuple[int, ...]) -> list[Figure]:
    figures: list[Figure] = []
    for count in counts:
        ours, dagsters = [], []
        for run in range(runs):
            ours.append(_size(prefix, run, count, is_ours=True))
            dagsters.append(_size(prefix, run, count, is_ours=False))
        figures += _side_by_side(count, ours, dagsters)
    return figures


def _side_by_side(count: int, ours: list[Size], dagsters: list[Size]) -> list[Figure]:
    figures: list[Figure] = []
    what = (("start → all loaded", "s"), ("processes", ""), ("memory (PSS)", "MiB"))
    columns = zip(what, zip(*ours, strict=True), zip(*dagsters, strict=True), strict=True)
    for (name, unit), mine, theirs in columns:
        figures += [
            Figure(f"{count} locations: {name}, codelocd", unit, mine),
            Figure("… dagster dev", unit, theirs),
        ]
    return figures


def _size(prefix: Path, run: int, count: int, *, is_ours: bool) -> Size:
    """Seconds until all are on the page, processes, MiB of PSS."""
    with folder() as home:
        project = _dagster.write(home / f"project_{run}", count, prefix)
        with _start(project, prefix, is_ours) as side:
            loaded = side.until_loaded(count) - side.began
            return loaded, float(len(side.tree())), side.memory()


def _start(project: Path, prefix: Path, is_ours: bool) -> AbstractContextManager[Side]:
    return _dagster.ours(project) if is_ours else _dagster.dagster_dev(project, prefix)


if __name__ == "__main__":
    alone(measure, __doc__, LEAST_RUNS)
