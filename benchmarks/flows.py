"""How many calls of the product's functions four flows take, and how often they change file."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import _projects
from benchmarks._daemon import Daemon, first, folder, replaced, running, saved
from benchmarks._measure import Figure
from benchmarks._report import alone

COUNTED = (sys.executable, "-P", Path(__file__).with_name("_counted.py"))
ROUNDS, TRIES = 7, 20
GOALS = {("save → takeover", "calls"): 350.0, ("save → takeover", "switches"): 120.0}
CALM = 0.3
"""Seconds without a call after which a flow has ended."""
Count = dict[str, int]


def measure(runs: int) -> list[Figure]:
    """Of one native location: the daemon's calls until the event that ends the flow; for `status`,
    those of the command, too. A switch is a call of a function that stands in another file than the
    one called before. Of each flow but the first, the median of seven rounds, since a timer of the
    daemon may fall into one.
    """
    counts: dict[str, list[Count]] = {}
    for _ in range(runs):
        for flow, count in _flows():
            counts.setdefault(flow, []).append(count)
    return [
        Figure(
            flow,
            what,
            tuple(float(count[what]) for count in found),
            GOALS.get((flow, what)),
        )
        for flow, found in counts.items()
        for what in ("calls", "files", "switches")
    ]


def _flows() -> Iterator[tuple[str, Count]]:
    with folder() as home:
        project, place = _projects.write(home / "project", locations=1), home / "counts.sock"
        with running(project, home, (*COUNTED, place)) as daemon:
            daemon.until_serving()
            counts = _Counts(place)
            yield "config → runner", counts.since()
            with daemon.client() as client:
                events = iter(client.subscribe(["definitions"]))
                yield "save → takeover", _settled(counts, lambda run: _save(daemon, run, events))
            with daemon.client() as client:
                events = iter(client.subscribe(["status"]))
                yield "kill → serving", _settled(counts, lambda _run: _kill(daemon, events))
            yield "status, in the daemon", _settled(counts, lambda _run: partial(_status, daemon))
            yield "status, in the command", _status(daemon)


class _Counts:
    """Asks the counted process."""

    def __init__(self, place: Path) -> None:
        peer = socket.socket(socket.AF_UNIX)
        with closing(peer):
            peer.connect(str(place))
            self._lines = peer.makefile("rw")

    def since(self) -> Count:
        """What was counted since this was asked last."""
        self._lines.write("\n")
        self._lines.flush()
        counted: Count = json.loads(self._lines.readline())
        return counted


def _settled(counts: _Counts, prepared: Callable[[int], Callable[[], object]]) -> Count:
    """`prepared` asks the daemon for what the flow needs; what it returns is counted."""
    found = []
    for run in range(ROUNDS):
        flow = prepared(run)
        _until_quiet(counts)
        flow()
        found.append(counts.since())
    return {what: round(statistics.median(each[what] for each in found)) for what in found[0]}


def _until_quiet(counts: _Counts) -> None:
    """What an earlier flow leaves to be done afterwards is not counted with the next."""
    for _ in range(TRIES):
        time.sleep(CALM)
        if not counts.since()["calls"]:
            return


def _save(daemon: Daemon, run: int, events: Iterator[Any]) -> Callable[[], object]:
    module, newest = daemon.project / "location_0.py", f"asset_{run}"
    return partial(saved, module, _projects.source(newest), newest, events)


def _kill(daemon: Daemon, events: Iterator[Any]) -> Callable[[], object]:
    victim = daemon.status()["locations"][0]["pid"]
    assert victim is not None

    def kill() -> None:
        os.kill(victim, signal.SIGKILL)
        first(events, lambda data: replaced(data.get("location"), victim))

    return kill


def _status(daemon: Daemon) -> Count:
    report = daemon.home / "report.json"
    subprocess.run(
        [*COUNTED, f"--report={report}", "status"],
        cwd=daemon.project,
        env=daemon.environ,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    counted: Count = json.loads(report.read_text())
    return counted


if __name__ == "__main__":
    alone(measure, __doc__)
