"""Finds locations that start their own reloads, and ignores the files by which they do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from codelocd.core.reload_loops import MOST, NO_LOOPS, WINDOW
from codelocd.daemon import sources
from codelocd.daemon.location import Location
from codelocd.daemon.locations import Locations
from codelocd.daemon.publisher import Publisher
from codelocd.storage.paths import file_name
from codelocd.watch.notices import Change
from codelocd.watch.polling import INTERVAL
from codelocd.watch.watch import OWN_WRITE, SourceWatch

LEFT_OUT = (
    "{location}: {path} is written by its own runner and has started more than {most} loads within"
    " {window:g} s; a change of it starts no more loads until `codelocd reload {location}`"
    " (with `ignore` it never counts)"
)

POLLED = (
    "{location}: {folder}{more}: looked at every {interval:g} s, as the kernel does not tell of"
    " all changes there"
)


class LoopGuard:
    """Judges the changes of all locations. In `folder` runners note which suspected files they
    write."""

    def __init__(
        self,
        locations: Locations,
        watch: SourceWatch,
        publisher: Publisher,
        folder: Path,
        report: Callable[[str], None],
    ) -> None:
        self._locations = locations
        self._watch = watch
        self._publisher = publisher
        self._folder = folder
        self._report = report
        locations.judge = self.judge

    def lines(self) -> Iterator[str]:
        """Warnings about files and folders that are ignored or polled."""
        for name, location in sorted(self._locations.items()):
            for path in sorted(location.loops.left_out):
                yield line(location, path)
            polled, own_writes = self._watch.apart(name)
            for path in own_writes:
                yield OWN_WRITE.format(location=name, path=path)
            if polled:
                more = f" and {len(polled) - 1} more" if len(polled) > 1 else ""
                yield POLLED.format(location=name, folder=polled[0], more=more, interval=INTERVAL)

    def judge(self, location: Location, change: Change) -> Change | None:
        """The part of a change that counts; None if none does."""
        location.loops = location.loops.changed(change.paths, time.monotonic())
        written = location.loops.looping & self._noted(location)
        if not written:
            return change
        location.loops = location.loops.without(written)
        sources.follow_if_possible(self._watch, location)
        for path in sorted(written):
            told = line(location, path)
            self._report(told)
            self._publisher.announce(location, "left-out", location.state, told)
        rest = tuple(path for path in change.paths if path not in written)
        return replace(change, paths=rest, differing=len(rest)) if rest else None

    def forgive(self, location: Location) -> None:
        """A client asked for a load: every file counts again."""
        location.loops = NO_LOOPS
        with contextlib.suppress(OSError):
            notes(self._folder, location.name).unlink()

    def _noted(self, location: Location) -> frozenset[str]:
        try:
            said = notes(self._folder, location.name).read_text(errors="surrogateescape")
            return frozenset(said.splitlines())
        except OSError:
            return frozenset()


def notes(folder: Path, location: str) -> Path:
    """The file in which runners of a location note what they write."""
    return folder / f"{file_name(location)}.written"


def line(location: Location, path: str) -> str:
    """The warning about a file that is ignored."""
    return LEFT_OUT.format(location=location.name, path=path, most=MOST, window=WINDOW)
