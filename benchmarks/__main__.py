"""Measures everything, prints one table and keeps it in benchmarks/results/."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import (
    dagster_page,
    environments,
    first_start,
    idle_cost,
    restart_after_kill,
    save_to_visible,
    status_command,
    warm_reload,
)
from benchmarks._measure import keep, runs_from_command_line, table

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    runs = runs_from_command_line(__doc__, default=10)
    figures = []
    for benchmark, times in (
        (status_command, 2 * runs),
        (save_to_visible, runs),
        (restart_after_kill, runs),
        (idle_cost, runs),
        (first_start, runs),
        (dagster_page, runs // 2),
        (environments, runs),
        (warm_reload, runs),
    ):
        print(f"{benchmark.__name__}: {times} runs", file=sys.stderr)
        figures += benchmark.measure(times)
    keep(figures, RESULTS)
    print(table(figures))


if __name__ == "__main__":
    main()
