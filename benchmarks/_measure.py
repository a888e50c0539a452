"""A figure: values measured the same way, and what they are held against."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

Measurement = Callable[[int], "list[Figure]"]
"""Measures so many times, at least; what cannot be repeated says so in its note."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`values` in `unit`; the median is to be below `target`, where there is one."""

    name: str
    unit: str
    values: tuple[float, ...]
    target: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.median <= self.target

    def row(self) -> tuple[str, ...]:
        target = "" if self.target is None else f"{self.target:g} {self.unit}"
        verdict = {None: "", True: "met", False: "**missed**"}[self.met]
        spread = f"{_short(min(self.values))} – {_short(max(self.values))}"
        median = f"{_short(self.median)} {self.unit}"
        return self.name, median, spread, str(len(self.values)), target, verdict

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": self.values,
            "target": self.target,
            "met": self.met,
        }


def difference(name: str, over: Figure, base: Figure, target: float | None = None) -> Figure:
    """What one costs over the other, pair by pair: drift of the machine cancels out."""
    pairs = zip(over.values, base.values, strict=True)
    return Figure(name, over.unit, tuple(a - b for a, b in pairs), target)


def ratio(name: str, over: Figure, base: Figure, target: float | None = None) -> Figure:
    """How many times the other one costs, pair by pair."""
    pairs = zip(over.values, base.values, strict=True)
    return Figure(name, "times", tuple(a / b for a, b in pairs), target)


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table whose columns line up in a terminal, too."""
    head = ("what", "median", "min – max", "n", "target", "")
    rows = [head, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": [round(load, 2) for load in psutil.getloadavg()],
    }


def runs_from_command_line(description: str | None, default: int) -> int:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=default, help=f"default: {default}")
    return int(parser.parse_args().runs)


def alone(measurement: Measurement, description: str | None, default: int = 10) -> None:
    """What a benchmark does when it is run by itself."""
    print(table(measurement(runs_from_command_line(description, default))))


def keep(figures: Iterable[Figure], folder: Path) -> None:
    """Writes `latest.md` for people and `latest.json` for programs."""
    described = machine()
    figures = tuple(figures)
    folder.mkdir(exist_ok=True)
    document = {"machine": described, "figures": [figure.document() for figure in figures]}
    (folder / "latest.json").write_text(json.dumps(document, indent=1) + "\n")
    facts = "\n".join(f"- {name}: {value}" for name, value in described.items())
    (folder / "latest.md").write_text(f"{facts}\n\n{table(figures)}\n")


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
