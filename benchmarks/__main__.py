"""Measures everything, and writes docs/benchmarks.md and benchmarks/results/.

With --quick, the part that takes two minutes; with names, those alone. Both only print.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import (
    _peers,
    dagster_page,
    dagster_reload,
    dagster_sizes,
    endurance,
    environments,
    first_start,
    idle_cost,
    many_locations,
    restart_after_kill,
    save_to_visible,
    status_command,
    warm_packages,
    warm_reload,
)
from benchmarks._report import Section, document, keep, machine, markdown

RUNS, QUICK_RUNS = 10, 3
ALL = (
    save_to_visible,
    dagster_reload,
    warm_reload,
    restart_after_kill,
    status_command,
    dagster_page,
    dagster_sizes,
    many_locations,
    endurance,
    warm_packages,
    environments,
    first_start,
    idle_cost,
)
QUICK = (save_to_visible, warm_reload, restart_after_kill, status_command)

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs"
HEADING = """\
# Benchmarks

`make bench` writes this page. Every comparison is made in one run, both sides in turns, on the
machine described below; the times of another machine will differ, the ratios less so. A ratio is
that of the medians; its least and most are those of pairs. `make bench-quick` takes two minutes.

"""


def main() -> None:
    asked = _arguments()
    if asked.quick:
        _measure(QUICK, QUICK_RUNS, _print)
    elif asked.names:
        _measure([each for each in ALL if _name(each) in asked.names], asked.runs, _print)
    else:
        described, peers = machine(), _peers.versions()
        _measure(ALL, asked.runs, lambda sections: _keep(sections, described, peers))


def _measure(
    benchmarks: Sequence[ModuleType], runs: int, tell: Callable[[Sequence[Section]], None]
) -> None:
    """Everything so far is told after each: a run that is cut short has measured something."""
    sections = []
    for benchmark in benchmarks:
        print(f"{_name(benchmark)} …", file=sys.stderr, flush=True)
        sections.append(Section(benchmark, benchmark.measure(runs)))
        tell(sections)


def _print(sections: Sequence[Section]) -> None:
    print(sections[-1].markdown(), flush=True)


def _keep(sections: Sequence[Section], described: dict[str, Any], peers: Sequence[str]) -> None:
    _print(sections)
    keep(HERE / "results", "latest.json", document(sections, described, peers))
    keep(PAGE, "benchmarks.md", HEADING + markdown(sections, described, peers))


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
