"""Which fault comes when: made from a seed, kept in a file, read back to be tried again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.locations import LOADED, NAMES

MOMENTS = ("serving", "building", "starting", "reloading", "stopping")


@dataclass(frozen=True)
class Step:
    """One fault: its kind, at what moment in the life of which location."""

    kind: str
    when: str
    location: str


def made(seed: int, count: int, kinds: Sequence[str]) -> list[Step]:
    """Every kind comes before any comes again; what comes beside it is drawn."""
    drawn = random.Random(seed)
    steps: list[Step] = []
    while len(steps) < count:
        for kind in drawn.sample(kinds, len(kinds)):
            when = drawn.choice(MOMENTS)
            of = LOADED if when == "reloading" else NAMES
            steps.append(Step(kind, when, drawn.choice(of)))
    return steps[:count]


def write(path: Path, seed: int, steps: Iterable[Step]) -> None:
    lines = [json.dumps({"seed": seed}), *(json.dumps(asdict(step)) for step in steps)]
    path.write_text("\n".join(lines) + "\n")


def read(path: Path) -> list[Step]:
    _seed, *steps = path.read_text().splitlines()
    return [Step(**json.loads(step)) for step in steps]
