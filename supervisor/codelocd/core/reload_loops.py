"""Finds files by which a location starts its own reloads: its runner writes them, and they are
watched. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

WINDOW = 30.0
"""Seconds in which changes of one file are counted."""

SUSPECT = 3
"""Changes from which on runners are asked to note whether they write the file: an editor may save
as often."""

MOST = 5
"""More changes than that, of a file that a runner was seen to write after its load: a loop. What
loads themselves write is known otherwise, and a save of it between two loads still counts."""


@dataclass(frozen=True, slots=True)
class Loops:
    """`changes`: by file, when it last started a load, monotonic. `left_out`: files that a runner
    wrote over and over; they do not count until a client asks for a load. `latest`: what the newest
    load was started by."""

    changes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    latest: str | None = None

    def changed(self, paths: Iterable[str], now: float) -> Loops:
        """These files start one more load."""
        recent = {
            p: tuple(at for at in ats if now - at < WINDOW) for p, ats in self.changes.items()
        }
        for path in paths:
            recent[path] = (*recent.get(path, ()), now)
        latest = next(iter(paths), self.latest)
        return replace(self, changes={p: ats for p, ats in recent.items() if ats}, latest=latest)

    @property
    def suspects(self) -> frozenset[str]:
        return self._over(SUSPECT - 1)

    @property
    def looping(self) -> frozenset[str]:
        return self._over(MOST)

    def without(self, paths: Iterable[str]) -> Loops:
        """These count no more."""
        gone = frozenset(paths)
        rest = {path: ats for path, ats in self.changes.items() if path not in gone}
        return replace(self, changes=rest, left_out=self.left_out | gone)

    def _over(self, count: int) -> frozenset[str]:
        return frozenset(path for path, ats in self.changes.items() if len(ats) > count)


NO_LOOPS = Loops()
