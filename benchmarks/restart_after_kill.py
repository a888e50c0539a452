"""From kill -9 of a runner to the location serving again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import _projects
from benchmarks._daemon import Daemon, first, folder, running
from benchmarks._measure import Figure, alone


def measure(runs: int) -> list[Figure]:
    with folder() as home:
        project = _projects.write(home / "project", locations=1)
        with running(project, home) as daemon:
            daemon.until_serving()
            with daemon.client() as client:
                events = iter(client.subscribe(["status"]))
                times = tuple(_kill(daemon, events) for _ in range(runs))
    return [Figure("kill -9 of a runner → serving again", "ms", times)]


def _kill(daemon: Daemon, events: Iterator[Any]) -> float:
    victim = daemon.status()["locations"][0]["pid"]
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    return 1000 * (first(events, lambda data: _replaced(data.get("location"), victim)) - killed)


def _replaced(location: dict[str, Any] | None, victim: int) -> bool:
    if location is None or location["state"] != "serving":
        return False
    return location["pid"] not in (None, victim)


if __name__ == "__main__":
    alone(measure, __doc__)
