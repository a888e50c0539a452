"""How far a build is."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

KEPT_LINES = 2000
"""Lines of an installer that are kept for an error: the last ones, where its errors stand."""

_COUNTED = re.compile(r"(Resolved|Prepared|Installed) (\d+) packages?")
_PENDING = re.compile(r"DEBUG Identified uncached distribution: ")
_STARTED = re.compile(r"\s*(Downloading|Building) (\S+)( \(\S+\))?")
_ENDED = re.compile(r"\s*(Downloaded|Built) (\S+)")
_SIZE = re.compile(r"\(([\d.]+)\s?([KMG]i?)?B\)")
_UNITS = {None: 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "K": 10**3, "M": 10**6, "G": 10**9}
_PHASES = {
    "Resolved": "resolving",
    "Prepared": "downloading",
    "Installed": "installing",
    "Downloading": "downloading",
    "Downloaded": "downloading",
    "Building": "building",
    "Built": "building",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a build: `done` of `total` packages, None where nothing is counted.

    `bytes_done` of `bytes_total` are of the downloads that uv has announced so far: it keeps
    quiet about small ones.

    `phase` is one of `warning waiting replacing resolving creating downloading building
    installing ready`.
    """

    phase: str
    message: str
    done: int | None = None
    total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Listener = Callable[[Progress], None]


class Narrator:
    """Makes progress out of the installer's lines, and keeps the rest of them for an error.

    uv prints no live progress into a pipe: a line per large download and per build, and
    sums. The number of packages it lacks comes from one debug message of its installer.
    """

    def __init__(self, listen: Listener) -> None:
        self._listen = listen
        self._pending = 0
        self._done = 0
        self._sizes: dict[str, int] = {}
        self._loaded = 0
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)

    @property
    def output(self) -> str:
        return "".join(self._kept).strip()

    def hear(self, line: str) -> None:
        if _PENDING.match(line):
            self._pending += 1
            return
        self._kept.append(line)
        progress = self._counted(line) or self._ended(line) or self._started(line)
        if progress:
            self._listen(progress)

    def _counted(self, line: str) -> Progress | None:
        if found := _COUNTED.match(line):
            count = int(found[2])
            return Progress(_PHASES[found[1]], line.strip(), count, count)
        return None

    def _started(self, line: str) -> Progress | None:
        if found := _STARTED.match(line):
            self._sizes[found[2]] = _bytes(found[3])
            return self._of_pending(found[1], found[2] + (found[3] or ""))
        return None

    def _ended(self, line: str) -> Progress | None:
        if found := _ENDED.match(line):
            self._done += 1
            self._loaded += self._sizes.get(found[2], 0)
            return self._of_pending(found[1], found[2])
        return None

    def _of_pending(self, verb: str, package: str) -> Progress:
        total = self._pending or None
        amount = sum(self._sizes.values())
        loaded = (self._loaded, amount) if amount else (None, None)
        return Progress(_PHASES[verb], f"{verb.lower()} {package}", self._done, total, *loaded)


def _bytes(text: str | None) -> int:
    """Of ` (11.9MiB)`; 0 where no size is said."""
    found = _SIZE.search(text or "")
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0
