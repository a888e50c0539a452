"""20 Dagster locations in ten environments: start, processes and memory, beside `dagster dev`."""

from __future__ import annotations

from benchmarks import _peers
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks.dagster_sizes import MANY, Goal, compared

LEAST_RUNS = 3
GOAL = Goal(seconds=3, memory=2)
EXTRAS = (
    "cachetools",
    "colorama",
    "docopt",
    "iniconfig",
    "mccabe",
    "ply",
    "pluggy",
    "toolz",
    "zipp",
)
"""One of them more, which Dagster does not bring, makes another environment."""


def measure(runs: int) -> list[Figure]:
    """As with one environment: two locations in each. Nothing is shared between environments but
    what the system shares.
    """
    prefixes = [_peers.environment(*_peers.DAGSTER)]
    prefixes += [_peers.environment(*_peers.DAGSTER, extra) for extra in EXTRAS]
    assert len(set(prefixes)) == len(prefixes), "an extra that Dagster brings by itself"
    each = [prefixes[number % len(prefixes)] for number in range(MANY)]
    what = f"{MANY} in {len(prefixes)} environments"
    return compared(each, max(LEAST_RUNS, runs // 4), what, GOAL)


if __name__ == "__main__":
    alone(measure, __doc__, LEAST_RUNS)
