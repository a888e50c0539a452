"""Measures everything, and writes docs/benchmarks.md and benchmarks/results/.

With names, those alone: they take the place of what was measured before. With --quick, the part
that takes two minutes, which is only printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import (
    _peers,
    beside_supervisors,
    dagster_dbt,
    dagster_environments,
    dagster_page,
    dagster_reload,
    dagster_sizes,
    deploys,
    endurance,
    environments,
    first_start,
    flows,
    idle_cost,
    many_locations,
    many_runs,
    output_flood,
    page_beside_dagsters,
    page_in_browser,
    page_process,
    restart_after_kill,
    run_start,
    save_to_visible,
    scrape,
    sizing,
    status_command,
    supervision,
    terminal_view,
    warm_packages,
    warm_reload,
)
from benchmarks._measure import Figure
from benchmarks._report import Section, document, earlier, keep, machine, markdown, sections_of

RUNS, QUICK_RUNS = 10, 3
ALL = (
    save_to_visible,
    dagster_reload,
    warm_reload,
    restart_after_kill,
    deploys,
    run_start,
    status_command,
    supervision,
    beside_supervisors,
    output_flood,
    page_in_browser,
    page_process,
    page_beside_dagsters,
    dagster_page,
    dagster_sizes,
    dagster_environments,
    dagster_dbt,
    many_locations,
    many_runs,
    endurance,
    warm_packages,
    environments,
    first_start,
    idle_cost,
    terminal_view,
    scrape,
    sizing,
    flows,
)
QUICK = (save_to_visible, warm_reload, restart_after_kill, status_command)

RESULTS = Path(__file__).parent / "results" / "latest.json"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEADING = """\
# Benchmarks

`make bench` writes this page. Every comparison is made in one run, both sides in turns, on the
machine that is described below its table; the times of another machine will differ, the ratios
less so. A ratio is that of the medians; its least and most are those of pairs. `make bench-quick`
takes two minutes.

"""


def main() -> None:
    asked = _arguments()
    if asked.quick:
        for benchmark in QUICK:
            _measured(benchmark, QUICK_RUNS)
        return
    described, peers = machine(), _peers.versions()
    figures = earlier(RESULTS) if asked.names else {}
    for benchmark in ALL:
        if not asked.names or _name(benchmark) in asked.names:
            figures[_name(benchmark)] = _measured(benchmark, asked.runs)
            _keep(figures, described, peers)


def _measured(benchmark: ModuleType, runs: int) -> Sequence[Figure]:
    print(f"{_name(benchmark)} …", file=sys.stderr, flush=True)
    section = Section(benchmark, benchmark.measure(runs))
    print(section.markdown(), flush=True)
    return section.figures


def _keep(
    figures: Mapping[str, Sequence[Figure]], described: dict[str, Any], peers: Sequence[str]
) -> None:
    """After each benchmark: a run that is cut short has measured something. What has no figures
    here keeps the section that it has on the page, measured elsewhere."""
    there = sections_of(PAGE.read_text()) if PAGE.exists() else {}
    sections: list[Section | str] = []
    for benchmark in ALL:
        section = Section(benchmark, figures.get(_name(benchmark), ()))
        if section.figures:
            sections.append(section)
        elif section.title in there:
            sections.append(there[section.title])
    keep(RESULTS, document(figures, described, peers))
    keep(PAGE, HEADING + markdown(sections, described, peers))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [[], *map(_name, ALL)]  # argparse holds no names at all against the choices, too
    parser.add_argument("names", nargs="*", choices=names, metavar="NAME")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"default: {RUNS}")
    parser.add_argument("--quick", action="store_true", help="the part that takes two minutes")
    return parser.parse_args()


def _name(benchmark: ModuleType) -> str:
    return benchmark.__name__.rpartition(".")[2]


if __name__ == "__main__":
    main()
