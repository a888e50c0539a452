"""Dagster's own page under `codelocd dev --dagster`, beside `dagster dev`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _dagster, _peers
from benchmarks._daemon import NothingHappened, folder
from benchmarks._dagster import Side
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone

LEAST_RUNS = 5
WATCHED = 10.0
"""Seconds for which a killed code server is waited for; `dagster dev` never brings it back."""


def measure(runs: int) -> list[Figure]:
    """Saves in turns. One shows by itself under codelocd; `dagster dev` is sent its reload mutation
    at once. A code server that was killed answers again when it makes an execution plan: the
    page alone shows what the webserver remembers. `dagster dev` starts none again (10 s watched).
    """
    runs = max(LEAST_RUNS, runs // 2)
    prefix = _peers.environment(*_peers.DAGSTER)
    with folder() as home:
        mine = _dagster.write(home / "ours", [prefix])
        theirs = _dagster.write(home / "theirs", [prefix])
        with _dagster.ours(mine, home) as us, _dagster.dagster_dev(theirs, prefix) as them:
            us.until_loaded(1)
            them.until_loaded(1)
            saves = _saves(us, them, runs)
            kills = [_kill(us) for _ in range(runs)]
        return [*saves, *_kills(kills, [_killed(theirs, prefix) for _ in range(runs)])]


def _saves(us: Side, them: Side, runs: int) -> list[Figure]:
    _warm_up, *pairs = [
        (us.save(f"ours_{run}", reload=False), them.save(f"theirs_{run}", reload=True))
        for run in range(runs + 1)
    ]
    ours, dagsters = zip(*pairs, strict=True)
    first = Figure("save → new asset in Dagster's UI, codelocd", "s", ours)
    second = Figure("… dagster dev, told to reload", "s", dagsters)
    return [first, second, ratio("dagster dev, against codelocd", second, first)]


def _kills(ours: Sequence[float], dagsters: Sequence[float]) -> list[Figure]:
    return [
        Figure("kill -9 of a code server → it answers again, codelocd", "s", tuple(ours)),
        Figure(f"… dagster dev, given up after {WATCHED:g} s", "s", tuple(dagsters)),
    ]


def _killed(project: Path, prefix: Path) -> float:
    """In a `dagster dev` of its own, which may not survive it."""
    with _dagster.dagster_dev(project, prefix) as side:
        side.until_loaded(1)
        return _kill(side)


def _kill(side: Side) -> float:
    side.until(side.serves)
    killed = _dagster.kill(side.code_server())
    try:
        return side.until(side.serves, WATCHED) - killed
    except NothingHappened:
        return WATCHED


if __name__ == "__main__":
    alone(measure, __doc__, LEAST_RUNS)
