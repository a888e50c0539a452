"""From `codelocd dev` in examples/quickstart to all locations serving: first and second start."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks._daemon import folder, started
from benchmarks._measure import Figure
from benchmarks._report import alone

LEAST_RUNS = 5
QUICKSTART = Path(__file__).parent.parent / "examples" / "quickstart"


def measure(runs: int) -> list[Figure]:
    """Each run has a store of its own: the first start downloads and builds, the second neither."""
    pairs = [_pair() for _ in range(max(LEAST_RUNS, runs // 2))]
    first, second = zip(*pairs, strict=True)
    return [
        Figure("quickstart, first start with an empty store → all serving", "s", first),
        Figure("quickstart, second start → all serving", "s", second),
    ]


def _pair() -> tuple[float, float]:
    with folder() as home:
        project = home / "quickstart"
        shutil.copytree(QUICKSTART, project, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
        return started(project, home), started(project, home)


if __name__ == "__main__":
    alone(measure, __doc__)
