"""Tries to break a real daemon: `python -m tests.faults --seed 7 --seconds 600`.

What is done is written to a file before it is done; `--replay FILE` does the same again.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import schedule
from tests.faults.kinds import KINDS, able
from tests.faults.schedule import Step
from tests.faults.world import Violation, World

HOLD = 0.3
"""Seconds for which a fault lasts that is mended."""

SPARE_FILES = 16
"""Descriptors that come and go with warm interpreters and runners that were taken over; a leak of
one for each fault is more."""

SPARE_BYTES = 48 * 1024 * 1024


@dataclass
class Report:
    """What became of the faults of each kind, in seconds until all was well again.

    A fault that is mended after a while counts without that while.
    """

    recovered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    missed: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    slowest: list[tuple[float, Step]] = field(default_factory=list)
    looks: int = 0
    files: int = 0
    memory: int = 0
    loads: list[float] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(map(len, self.recovered.values()))

    def lines(self) -> Iterator[str]:
        yield f"{'kind':<26}{'faults':>8}{'recovered':>11}{'worst':>9}"
        for kind, seconds in sorted(self.recovered.items()):
            good = [each for each in seconds if each >= 0]
            worst = f"{max(good):.2f} s" if good else "-"
            yield f"{kind:<26}{len(seconds):>8}{len(good):>11}{worst:>9}"
        for kind, why in self.missing.items():
            yield f"{kind:<26} not tried: {why}"
        for longest, step in self.slowest:
            yield f"{longest:.2f} s: {step.kind}, {step.location} {step.when}"
        yield f"{self.faults} faults; {self.missed} came after their moment"
        yield f"descriptors: {self.files:+d}; memory of the daemon: {self.memory / 2**20:+.1f} MiB"
        loads = f"{min(self.loads):.0f} to {max(self.loads):.0f}" if self.loads else "unknown"
        yield f"load of the machine (of one minute): {loads}; {os.cpu_count()} cores"
        yield f"looks at who holds which lock: {self.looks}"
        yield from self.runs
        yield f"runners with lost lines: {len(self.lost)}; violations: {len(self.violations)}"
        yield from (*self.lost, *self.violations)


@contextmanager
def place() -> Iterator[tuple[Path, dict[str, str]]]:
    """A short path: sockets have a limit of 107 bytes. And what cannot be tried."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        home = Path(name)
        (home / "state").mkdir()
        missing = able(home / "state")
        try:
            yield home, missing
        finally:
            if "disk full" not in missing:
                subprocess.run(["umount", "-l", str(home / "state")], check=False)


def drive(
    home: Path,
    steps: Sequence[Step],
    report: Report,
    more: Callable[[], bool],
    *,
    serve: bool = False,
) -> None:
    """Do the steps, as long as there are any and `more`; then look at all that must hold."""
    step = None
    try:
        world = World(home, serve=serve)
    except Violation as violation:
        report.violations.append(f"at its start: {violation}")
        return
    try:
        for step in steps:
            if not more():
                break
            report.loads.append(os.getloadavg()[0])
            report.recovered[step.kind].append(-1.0)
            seconds = report.recovered[step.kind][-1] = _take(world, step, report)
            report.slowest = sorted([*report.slowest, (seconds, step)], key=lambda x: -x[0])[:5]
        _end(world, report)
    except Violation as violation:
        report.violations.append(f"{step}: {violation}")
    finally:
        report.looks = world.locks.looks
        world.close()
        report.runs = [*world.runs.lines()]


def _take(world: World, step: Step, report: Report) -> float:
    if not _moment(world, step):
        report.missed += 1
    began = time.monotonic()
    heal = KINDS[step.kind](world, step.location)
    if heal is not None:
        time.sleep(HOLD)
        began += HOLD
        heal()
    world.until_true()
    return time.monotonic() - began


def _moment(world: World, step: Step) -> bool:
    """Bring the location to that moment of its life; whether it was seen there."""
    name, mark = step.location, world.watcher.mark()
    if step.when == "serving":
        return True
    if step.when == "reloading":
        world.save(name)
        return world.watcher.until(mark, name, lambda each: each["reloading"] is not None)
    world.order("restart", name)
    return world.watcher.until(mark, name, lambda each: each["state"] == step.when)


def _end(world: World, report: Report) -> None:
    def leaks() -> list[str]:
        report.files = world.open_files() - world.descriptors
        return [f"{report.files} more"] if report.files > SPARE_FILES else []

    world.until(world.runs.too_few, "runs at all")
    world.runs.close()
    world.until(world.runs.unquiet, "end of all runs")
    report.violations += world.runs.judge([*world.runs.book()])
    world.until(leaks, "descriptors as before")
    report.memory = world.resident() - world.memory
    if report.memory > SPARE_BYTES:
        report.violations.append(f"the daemon grew by {report.memory} bytes")
    report.lost = world.lost_lines()
    overlaps = world.project / "overlaps"
    if overlaps.exists():
        report.violations += [f"two at once: {x}" for x in overlaps.read_text().splitlines()]
    if world.differs_from_a_fresh_load():
        report.violations.append("the registry is not what a fresh load gives")
    report.violations += world.bugs()


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--faults", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--schedule", type=Path, default=Path(".cache/faults.jsonl"))
    options.add_argument("--replay", type=Path)
    options.add_argument("--serve", action="store_true", help="under `serve` instead of `dev`")
    options.add_argument(
        "--kills", type=int, metavar="COUNT", help="kill -9 of the daemon under `serve`, no less"
    )
    options.add_argument("--only", action="append", choices=sorted(KINDS), metavar="KIND")
    asked = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends all it began
    if asked.kills:
        asked.serve, asked.only, asked.faults = True, ["daemon killed"], asked.kills
        asked.seconds = math.inf
    report = Report()
    with place() as (home, report.missing):
        kinds = [each for each in asked.only or KINDS if each not in report.missing]
        steps = schedule.made(asked.seed, asked.faults, kinds)
        if asked.replay:
            steps = schedule.read(asked.replay)
        asked.schedule.parent.mkdir(parents=True, exist_ok=True)
        schedule.write(asked.schedule, asked.seed, steps)
        end = time.monotonic() + asked.seconds
        drive(home, steps, report, lambda: time.monotonic() < end, serve=asked.serve)
    print("\n".join(report.lines()), f"\nschedule: {asked.schedule}", sep="")
    return int(bool(report.violations or report.lost))


if __name__ == "__main__":
    sys.exit(main())
