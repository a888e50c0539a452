"""Locations on the nodes of a Ray cluster, beside one on the daemon's machine.

`make bench-engine` runs it, as root: the machines are namespaces of this one (tests/engine/lab.py),
with a token and TLS. It is no part of `make bench`.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import _projects
from benchmarks._daemon import CODELOCD, Daemon, folder, saved
from benchmarks._measure import Figure, difference
from benchmarks._report import machine, table
from tests.engine.certificates import certificates
from tests.engine.lab import Lab, missing, running

MIB = 1024.0 * 1024.0
HERE, THERE = "location_0", "location_1"
BRIDGE, RUNNER = "codeloc_ray/__main__.py", "codeloc_runner/__main__.py"
WARM = 10
"""Reloads before growth is measured: caches fill, and Ray keeps some workers."""
ENGINE = """
[engine]
kind = "ray"
address = "{address}"
token_file = "{token}"
tls = {{ cert = "{cert}", key = "{key}", ca = "{ca}" }}
environment = {{ path = "{environment}" }}
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: saves, locations, reloads, calls of each kind, nodes."""

    runs: int
    locations: int
    reloads: int
    calls: int
    nodes: int


def measure(sizes: Sizes) -> Iterator[Sequence[Figure]]:
    """One part after the other. Each with a daemon of its own, on the same cluster."""
    with folder() as home, _cluster(home, sizes.nodes) as lab:
        yield from _beside(lab, home / "pair", sizes)
        yield _many(lab, home / "many", sizes)


# --- a location here and one on a node ---------------------------------------------------------


def _beside(lab: Lab, home: Path, sizes: Sizes) -> Iterator[Sequence[Figure]]:
    project = _project(lab, home, 2, here=HERE)
    with _running(lab, project, home) as daemon:
        daemon.until_serving()
        yield _saves(daemon, sizes.runs)
        yield _calls(daemon, sizes.calls)
        yield _growth(lab, daemon, sizes.reloads)


def _saves(daemon: Daemon, runs: int) -> Sequence[Figure]:
    """In turns; the first of each is not counted."""
    took: dict[str, list[float]] = {HERE: [], THERE: []}
    with daemon.client() as client:
        events = iter(client.subscribe(["definitions"]))
        for run in range(runs + 1):
            for name, found in took.items():
                newest = f"asset_{name}_{run}"
                module = daemon.project / f"{name}.py"
                found.append(saved(module, _projects.source(newest), newest, events))
    here = Figure("save → served here", "ms", tuple(took[HERE][1:]))
    there = Figure("save → served on a node", "ms", tuple(took[THERE][1:]))
    return [here, there, difference("of that, the engine's part", there, here)]


def _calls(daemon: Daemon, calls: int) -> Sequence[Figure]:
    """`describe`, one at a time."""
    found = []
    with daemon.client() as client:
        for name, where in ((HERE, "here"), (THERE, "on a node")):
            took = []
            for _ in range(calls + 1):
                began = time.monotonic()
                client.call("call", {"location": name, "method": "describe"})
                took.append(1000 * (time.monotonic() - began))
            found += [
                _quantile(f"call {where}, p50", took[1:], 0.5),
                _quantile(f"call {where}, p99", took[1:], 0.99),
            ]
    return found


def _quantile(name: str, values: Sequence[float], share: float) -> Figure:
    ordered = sorted(values)
    at = max(0, math.ceil(share * len(ordered)) - 1)
    return Figure(name, "ms", (ordered[at],))


def _growth(lab: Lab, daemon: Daemon, reloads: int) -> Sequence[Figure]:
    """What processes and folders there are more after so many reloads on nodes."""
    with daemon.client() as client:

        def reload(times: int) -> None:
            for _ in range(times):
                client.call("reload", {"locations": [THERE]}, timeout=600.0)

        reload(WARM)
        before = _Taken.now(lab, daemon)
        began = time.monotonic()
        reload(reloads)
        each = (time.monotonic() - began) / max(1, reloads)
        after = _settled(lab, daemon, before)
    name = f"after {reloads} reloads on nodes, more"
    return [
        Figure("a reload on a node, one after the other", "ms", (1000 * each,)),
        Figure(f"{name} memory of the daemon and its bridge", "MiB", (after.own - before.own,)),
        Figure(f"{name} memory of all machines of Ray", "MiB", (after.nodes - before.nodes,)),
        Figure(f"{name} processes", "", (float(after.processes - before.processes),)),
        Figure(f"{name} descriptors of both", "", (float(after.descriptors - before.descriptors),)),
    ]


# --- many locations ----------------------------------------------------------------------------


def _many(lab: Lab, home: Path, sizes: Sizes) -> Sequence[Figure]:
    before = _memory(_of_nodes(lab))
    project = _project(lab, home, sizes.locations)
    began = time.monotonic()
    with _running(lab, project, home) as daemon:
        daemon.until_serving()
        seconds = time.monotonic() - began
        entries = daemon.status()["locations"]
        runners = _memory([each for each in _of_nodes(lab) if _runs(each, RUNNER)])
        after = _memory(_of_nodes(lab))
        used = len({entry["node"] for entry in entries})
    number = sizes.locations
    return [
        Figure(f"{number} locations on {used} nodes: start → all serve", "s", (seconds,)),
        Figure("a location on a node, all processes", "MiB", ((after - before) / number,)),
        Figure("of that, its runner", "MiB", (runners / number,)),
    ]


# --- parts -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Taken:
    """Memory in MiB, numbers of processes and of descriptors."""

    own: float
    nodes: float
    processes: int
    descriptors: int

    @classmethod
    def now(cls, lab: Lab, daemon: Daemon) -> _Taken:
        root = psutil.Process(daemon.process.pid)
        own = [root, *(each for each in root.children(recursive=True) if _runs(each, BRIDGE))]
        nodes = _of_nodes(lab)
        descriptors = sum(each.num_fds() for each in own)
        return cls(_memory(own), _memory(nodes), len(nodes), descriptors)


def _settled(lab: Lab, daemon: Daemon, before: _Taken) -> _Taken:
    """The processes of the last reload end after its answer: wait for as few as before, at most
    20 s."""
    end = time.monotonic() + 20
    while (found := _Taken.now(lab, daemon)).processes > before.processes:
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    return found


def _runs(process: psutil.Process, program: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(program in word for word in process.cmdline())
    return False


def _of_nodes(lab: Lab) -> list[psutil.Process]:
    return [each for machine in (lab.head, *lab.nodes) for each in machine.processes()]


def _memory(processes: Sequence[psutil.Process]) -> float:
    """Their PSS, MiB."""
    total = 0.0
    for each in processes:
        with contextlib.suppress(psutil.Error):
            total += each.memory_full_info().pss / MIB
    return total


@contextlib.contextmanager
def _cluster(home: Path, nodes: int) -> Iterator[Lab]:
    addresses = [*(f"10.77.0.{number}" for number in range(1, nodes + 3)), "10.77.0.254"]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    secure = certificates(home / "tls", addresses)
    with running(home / "lab", nodes, {**secure, **token}) as lab:
        yield lab


def _project(lab: Lab, home: Path, locations: int, here: str = "") -> Path:
    """All of its locations run on nodes, but for `here`."""
    home.mkdir()
    project = _projects.write(home / "project", locations)
    token = home / "token"
    token.touch(0o600)
    token.write_text(lab.variables["RAY_AUTH_TOKEN"])
    place = {"address": lab.address, "token": token, "environment": lab.python.parent.parent}
    file = project / "codelocd.toml"
    text = ENGINE.format(**place, **(lab.tls or {}))
    for table_text in file.read_text().split("\n[")[1:]:
        on_node = not table_text.startswith(f"location.{here}]")
        text += f"\n[{table_text}" + ('engine = "ray"\n' if on_node else "")
    file.chmod(0o600)
    file.write_text(text)
    return project


@contextlib.contextmanager
def _running(lab: Lab, project: Path, home: Path) -> Iterator[Daemon]:
    """A daemon on the lab's own machine."""
    daemon = Daemon(project, home, lab.inside([str(CODELOCD)], project))
    try:
        yield daemon
    finally:
        daemon.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default, what in (
        ("runs", 10, "saves of each"),
        ("locations", 50, "on the nodes"),
        ("reloads", 50, "after which growth is looked for; 1000 take a quarter of an hour"),
        ("calls", 500, "of each"),
        ("nodes", 3, "beside the head and the daemon's machine"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} ({default})")
    sizes = Sizes(**vars(parser.parse_args()))
    os.environ["CODELOCD_TEST_ENGINE"] = "1"
    if (why := missing()) is not None:
        sys.exit(f"there can be no cluster here: {why}")
    print("; ".join(f"{name} {value}" for name, value in machine().items()))
    for figures in measure(sizes):
        print(f"\n{table(figures)}", flush=True)


if __name__ == "__main__":
    main()
