"""A scrape of the metrics of 50 locations: how long it takes, and how much it brings."""

from __future__ import annotations

import socket
import time
from urllib.request import urlopen

from benchmarks import _projects
from benchmarks._daemon import folder, running
from benchmarks._measure import Figure
from benchmarks._report import alone

LOCATIONS = 50


def measure(runs: int) -> list[Figure]:
    """The first scrape imports the library and takes the first samples of memory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with folder() as home:
        project = _projects.write(home / "project", LOCATIONS)
        with (project / "codelocd.toml").open("a") as config:
            config.write(f"\n[metrics]\nport = {port}\n")
        with running(project, home) as daemon:
            daemon.until_serving()
            first, *others = [_scrape(port) for _ in range(runs + 1)]
    milliseconds, sizes = zip(*others, strict=True)
    return [
        Figure("the first scrape of a daemon", "ms", (first[0],)),
        Figure("each further scrape", "ms", milliseconds),
        Figure("size of an answer", "kB", sizes),
    ]


def _scrape(port: int) -> tuple[float, float]:
    began = time.monotonic()
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read()
    return 1000 * (time.monotonic() - began), len(text) / 1000


if __name__ == "__main__":
    alone(measure, __doc__, default=20)
