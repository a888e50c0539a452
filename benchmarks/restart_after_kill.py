"""kill -9 of a runner → serving again, beside supervisord and circusd."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import _dagster, _peers, _projects
from benchmarks._daemon import Daemon, first, folder, replaced, running
from benchmarks._measure import Figure, ratio
from benchmarks._report import alone
from benchmarks._supervisors import Supervisor, circusd, supervisord

DAGSTER_MILLISECONDS = 150.0
CIRCUS_RUNS = 5
"""At most: it takes seconds each time."""


def measure(runs: int) -> list[Figure]:
    """In turns, all running at once. Serving again means that the new runner has loaded its
    definitions; with the two others, that the new process has started, and loads nothing.
    """
    with folder() as home:
        native, dagster, theirs, circus = _killed(home, runs)
    ours = Figure("a native runner → serving again", "ms", native)
    other = Figure("supervisord: a program → started again", "ms", theirs)
    return [
        ours,
        Figure("a Dagster runner → serving again", "ms", dagster, DAGSTER_MILLISECONDS),
        other,
        Figure("circusd: a program → started again", "ms", circus),
        ratio("supervisord, against a native runner", other, ours),
    ]


def _killed(home: Path, runs: int) -> list[tuple[float, ...]]:
    prefix = _peers.environment(*_peers.DAGSTER)
    with ExitStack() as stack:
        natives = _projects.write(home / "natives", locations=1)
        dagsters = _dagster.write(home / "dagsters", [prefix])
        native = _location(stack, home / "native", natives)
        dagster = _location(stack, home / "dagster", dagsters, forked=True)
        others = [
            _Program(stack.enter_context(supervisord(home))),
            _Program(stack.enter_context(circusd(home))),
        ]
        victims: list[_Location | _Program] = [native, dagster, *others]
        times: list[list[float]] = [[] for _ in victims]
        for run in range(runs):
            for victim, found in zip(victims, times, strict=True):
                if victim is not others[1] or run < CIRCUS_RUNS:
                    found.append(victim.kill())
    return [tuple(found) for found in times]


def _location(stack: ExitStack, home: Path, project: Path, *, forked: bool = False) -> _Location:
    home.mkdir()
    daemon = stack.enter_context(running(project, home))
    daemon.until_serving()
    if forked:
        daemon.until_forked("location_0")
    client = stack.enter_context(daemon.client())
    return _Location(daemon, iter(client.subscribe(["status"])))


class _Location:
    """The only one of a daemon."""

    def __init__(self, daemon: Daemon, events: Iterator[Any]) -> None:
        self._daemon, self._events = daemon, events

    def kill(self) -> float:
        """Milliseconds until it serves again."""
        victim = self._daemon.status()["locations"][0]["pid"]
        assert victim is not None
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        serving = first(self._events, lambda data: replaced(data.get("location"), victim))
        return 1000 * (serving - killed)


class _Program:
    """The only one of another supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor, self._pid = supervisor, supervisor.pid()

    def kill(self) -> float:
        """Milliseconds until it has started again."""
        took, self._pid = self._supervisor.kill(self._pid)
        return took


if __name__ == "__main__":
    alone(measure, __doc__)
