"""Figures as people and programs read them: tables in Markdown, a document in JSON."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

from benchmarks._measure import Figure, Measurement

HEAD = ("what", "median", "min – max", "n", "goal", "")
VERDICTS = {None: "", True: "met", False: "**missed**"}


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark has measured."""

    benchmark: ModuleType
    figures: Sequence[Figure]

    @property
    def title(self) -> str:
        first, *_ = (self.benchmark.__doc__ or "").splitlines()
        return first.rstrip(".")

    @property
    def note(self) -> str:
        """How it is measured: the docstring of `measure`."""
        return "\n".join(
            line.strip() for line in (self.benchmark.measure.__doc__ or "").split("\n")
        )

    def markdown(self) -> str:
        return f"## {self.title}\n\n{self.note.strip()}\n\n{table(self.figures)}\n"


def table(figures: Iterable[Figure]) -> str:
    """Its columns line up in a terminal, too."""
    rows = [HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load": [round(load, 2) for load in psutil.getloadavg()],
    }


def markdown(
    sections: Sequence[Section | str], described: dict[str, Any], peers: Sequence[str]
) -> str:
    """The whole page, without its heading. Each section says what it was measured on and when; one
    that is text was kept, with its own word on that."""
    facts = "; ".join(f"{name} {value}" for name, value in described.items())
    measured = f"Measured on: {facts}. Installed: {', '.join(peers)}."
    texts = (
        each if isinstance(each, str) else f"{each.markdown().strip()}\n\n{measured}"
        for each in sections
    )
    return "\n\n".join(text.strip() for text in texts) + "\n"


def sections_of(page: str) -> dict[str, str]:
    """The sections of a page by their titles, as they stand there."""
    parts = f"\n{page}".split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}" for part in parts}


def document(
    figures: Mapping[str, Sequence[Figure]], described: dict[str, Any], peers: Sequence[str]
) -> str:
    """The figures of each benchmark as JSON."""
    measured = {name: [each.document() for each in found] for name, found in figures.items()}
    return json.dumps({"machine": described, "peers": peers, "figures": measured}, indent=1) + "\n"


def earlier(file: Path) -> dict[str, Sequence[Figure]]:
    """The figures of a document, none where there is none."""
    if not file.exists():
        return {}
    kept = json.loads(file.read_text())["figures"]
    return {name: [Figure.from_document(each) for each in found] for name, found in kept.items()}


def alone(measurement: Measurement, description: str | None, default: int = 10) -> None:
    """What a benchmark does when it is run by itself."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=default, help=f"default: {default}")
    print(table(measurement(int(parser.parse_args().runs))))


def keep(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def _row(figure: Figure) -> tuple[str, ...]:
    spread = f"{_short(min(figure.values))} – {_short(max(figure.values))}"
    median = f"{_short(figure.median)} {figure.unit}".strip()
    count = str(len(figure.values))
    return figure.name, median, spread, count, figure.goal, VERDICTS[figure.met]


def _short(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _processor() -> str:
    """Linux keeps the model's name there; elsewhere Python knows the kind at least."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
