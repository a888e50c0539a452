"""What a service of 1, 10 and 50 locations takes of a machine, and what each further one adds."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

import psutil

from benchmarks._daemon import Daemon, folder, running
from benchmarks._measure import Figure
from benchmarks._report import table
from benchmarks._tree import pss, tree
from benchmarks.dagster_environments import EXTRAS

LOCATIONS = (1, 10, 50)
STEADY, PATIENCE = 5.0, 120.0
"""Seconds for which the number of processes has to stay the same before they are counted (warm
interpreters are made in the background), and for which that is waited for at most."""

NATIVE = """from codeloc import Definitions, asset

@asset
def asset_{number}(): ...

defs = Definitions(assets=[asset_{number}])
"""
PANDAS = f"import pandas\n{NATIVE}"
DAGSTER = """import dagster as dg

@dg.asset
def asset_{number}(): ...

defs = dg.Definitions(assets=[asset_{number}])
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """Locations of one kind. `own`: each in an environment of its own, else all in one."""

    name: str
    source: str
    packages: tuple[str, ...]
    own: bool

    def write(self, project: Path, count: int) -> Path:
        """Each location has a folder of its own, as they mostly have."""
        several = (extra for size in range(len(EXTRAS)) for extra in combinations(EXTRAS, size))
        tables = []
        for number, extras in enumerate(islice(several, count)):
            name = f"location_{number}"
            (project / name).mkdir(parents=True)
            (project / name / "defs.py").write_text(self.source.format(number=number))
            tables += [f"[location.{name}]", f'python_file = "{name}/defs.py"']
            if packages := (*self.packages, *(extras if self.own else ())):
                tables.append(f"environment = {{ packages = {list(packages)} }}")
        (project / "codelocd.toml").write_text("\n".join(tables) + "\n")
        return project


KINDS = (
    Kind("native, one environment", NATIVE, (), own=False),
    Kind("pandas, one environment", PANDAS, ("pandas",), own=False),
    Kind("Dagster, one environment", DAGSTER, ("dagster",), own=False),
    Kind("pandas, environments of their own", PANDAS, ("pandas",), own=True),
    Kind("Dagster, environments of their own", DAGSTER, ("dagster",), own=True),
)


@dataclass(frozen=True, slots=True)
class Needs:
    """Of the daemon and all that it started, but for `daemon_files`, the open files of the daemon
    alone. `memory` (PSS), `state` and `store` (files with several names count once) in MB."""

    memory: float
    processes: int
    daemon_files: int
    files: int
    watches: int
    instances: int
    state: float
    store: float

    @classmethod
    def of(cls, daemon: Daemon) -> Needs:
        processes = tree(daemon.process.pid)
        opened = [_opened(process.pid) for process in processes]
        notified = [note for links in opened for note in links if note is not None]
        return cls(
            memory=pss(processes),
            processes=len(processes),
            daemon_files=len(opened[0]),
            files=sum(map(len, opened)),
            watches=sum(note.count("inotify wd:") for note in notified),
            instances=len(notified),
            state=_on_disk(daemon.home / "state"),
            store=_on_disk(daemon.home / "data"),
        )


UNITS = {"memory": "MB", "state": "MB", "store": "MB"}
NAMES = {
    "memory": "memory (PSS)",
    "daemon_files": "open files of the daemon",
    "files": "open files of all processes",
    "watches": "inotify watches",
    "instances": "inotify instances",
    "state": "state on disk",
    "store": "store on disk",
}


def measure(_runs: int) -> list[Figure]:
    """Under `codelocd serve`, each location with one small file in a folder of its own, once all
    serve and the warm interpreters are ready. All processes count, the daemon and its holder, too.
    What each further location adds is taken between the least and the most locations. Once each:
    memory, files and watches do not depend on how busy the machine is. Linux: reads /proc.
    """
    return [figure for kind in KINDS for figure in figures(kind, LOCATIONS)]


def figures(kind: Kind, counts: Sequence[int]) -> list[Figure]:
    found = {count: _measured(kind, count) for count in counts}
    least, most = min(counts), max(counts)
    made = []
    for name in Needs.__slots__:
        what, unit = f"{kind.name}: {NAMES.get(name, name)}", UNITS.get(name, "")
        values = {count: float(getattr(needs, name)) for count, needs in found.items()}
        made += [Figure(f"{what}, {count}", unit, (value,)) for count, value in values.items()]
        if most > least:
            slope = (values[most] - values[least]) / (most - least)
            made.append(Figure("… each further location", unit, (slope,)))
    return made


def _measured(kind: Kind, count: int) -> Needs:
    with folder() as home:
        project = kind.write(home / "project", count)
        arguments = ("serve", "--user", "-c", str(project / "codelocd.toml"))
        with running(project, home, arguments=arguments) as daemon:
            daemon.until_serving()
            _until_steady(daemon)
            return Needs.of(daemon)


def _until_steady(daemon: Daemon) -> None:
    end, since, before = time.monotonic() + PATIENCE, time.monotonic(), set[int]()
    while (now := time.monotonic()) < end and now - since < STEADY:
        pids = {process.pid for process in tree(daemon.process.pid)}
        if pids != before:
            since, before = now, pids
        time.sleep(0.2)


def _opened(pid: int) -> list[str | None]:
    """Of each open file what the kernel notes of its inotify watches; None where it is none."""
    return list(_notes(pid))


def _notes(pid: int) -> Iterator[str | None]:
    with contextlib.suppress(OSError, psutil.Error):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # it was closed meanwhile
                is_inotify = os.readlink(entry.path) == "anon_inode:inotify"
                noted = Path(f"/proc/{pid}/fdinfo/{entry.name}")
                yield noted.read_text() if is_inotify else None


def _on_disk(folder_: Path) -> float:
    """MB, as `du` counts."""
    blocks = {}
    for path in folder_.rglob("*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            blocks[found.st_dev, found.st_ino] = 512 * found.st_blocks
    return sum(blocks.values()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="the beginning of a kind's name")
    parser.add_argument("--locations", type=int, nargs="+", default=LOCATIONS)
    asked = parser.parse_args()
    for kind in KINDS:
        if not asked.kinds or kind.name.startswith(tuple(asked.kinds)):
            print(table(figures(kind, asked.locations)), flush=True)


if __name__ == "__main__":
    main()
