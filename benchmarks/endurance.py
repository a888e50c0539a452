"""Reloads in a row: what grows in the daemon and its fork servers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import _dagster, _peers, _projects
from benchmarks._daemon import Daemon, folder, running, saved
from benchmarks._measure import Figure
from benchmarks._report import alone
from benchmarks._tree import tree

RELOADS = 1000
SETTLED = 900
"""Reloads after which the histories that the daemon keeps are full: of events, of which there are
15 for a reload of each and 10,000 are kept, and of the journal, which has 12 entries of them and
keeps 1,000.
"""
MEGABYTES = 1.0
PAUSE = 3.0
"""Seconds without a change after which no runner is leaving any more."""

HEAVY = """\
import pandas

from codeloc import Definitions, asset

@asset
def {newest}(): ...

defs = Definitions(assets=[{newest}])
"""

CONFIG = """
[location.native]
python_file = "native_location.py"

[location.dagster]
python_file = "dagster_location.py"
environment = {{ path = "{dagster}" }}

[location.heavy]
python_file = "heavy_location.py"
environment = {{ path = "{heavy}" }}
"""


@dataclass(frozen=True, slots=True)
class Count:
    """Of the processes that stay: the daemon, its fork servers and guardian."""

    megabytes: float
    descriptors: int
    threads: int
    processes: int


def measure(_runs: int) -> list[Figure]:
    """A thousand reloads of each of three locations, native, Dagster and pandas, after nine
    hundred that fill the histories which the daemon keeps (10,000 events, at most 8 MiB, and
    1,000 entries of the journal). Memory is the RSS of all processes but the runners: the share
    in a page that is PSS changes with what runners write.
    """
    with folder() as home, running(_project(home), home) as daemon:
        daemon.until_serving()
        for name in ("dagster", "heavy"):
            daemon.until_forked(name)
        with daemon.client() as client:
            events = iter(client.subscribe(["definitions"]))
            _reload(daemon, range(SETTLED), events)
            before = _count(daemon)
            _reload(daemon, range(SETTLED, SETTLED + RELOADS), events)
            after = _count(daemon)
    return [
        Figure("growth of memory", "MB", (after.megabytes - before.megabytes,), MEGABYTES),
        Figure("growth in descriptors", "", (float(after.descriptors - before.descriptors),), 0),
        Figure("growth in threads", "", (float(after.threads - before.threads),), 0),
        Figure("growth in processes", "", (float(after.processes - before.processes),), 0),
    ]


def _project(home: Path) -> Path:
    project = home / "project"
    project.mkdir()
    dagster = _peers.environment(*_peers.DAGSTER)
    heavy = _peers.environment("pandas")
    (project / "codelocd.toml").write_text(CONFIG.format(dagster=dagster, heavy=heavy))
    for name in ("native", "dagster", "heavy"):
        (project / f"{name}_location.py").write_text(_source(name, "newest"))
    return project


def _source(name: str, newest: str) -> str:
    if name == "heavy":
        return HEAVY.format(newest=newest)
    return _projects.source(newest) if name == "native" else _dagster.source(newest)


def _reload(daemon: Daemon, runs: range, events: Iterator[Any]) -> None:
    for run in runs:
        for name in ("native", "dagster", "heavy"):
            newest = f"{name}_{run}"
            saved(daemon.project / f"{name}_location.py", _source(name, newest), newest, events)


def _count(daemon: Daemon) -> Count:
    """Once the runners that were replaced have left, and the requests about them have ended."""
    runners = {location["pid"] for location in daemon.status()["locations"]}
    while len(tree(daemon.process.pid)) != _later(daemon):
        continue
    processes = tree(daemon.process.pid)
    staying = [process for process in processes if process.pid not in runners]
    return Count(
        sum(process.memory_info().rss for process in staying) / 1e6,
        sum(process.num_fds() for process in staying),
        sum(process.num_threads() for process in staying),
        len(processes),
    )


def _later(daemon: Daemon) -> int:
    """How many processes there are after a pause."""
    time.sleep(PAUSE)
    return len(tree(daemon.process.pid))


if __name__ == "__main__":
    alone(measure, __doc__)
