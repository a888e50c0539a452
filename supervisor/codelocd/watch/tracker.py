"""Knows for one location which files its newest attempt and its serving runner saw, and which
differ now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from codelocd.watch.notices import Change, Watched
from codelocd.watch.plan import Plan

Seen = dict[str, str | None]
"""Path → digest, None for a file that was not there."""


LOADS = 5
"""Loads in a row in which a file has to change until it is taken to be written by them."""


class OwnWrites:
    """Which files a location's loads write themselves, so that such a change starts no other load.

    Nothing tells who wrote a file, a load's child (`dbt parse`) or an editor. So a file counts as
    `known` once it has changed during each of LOADS loads in a row that came to their end, while
    all files rested in the pauses between them; and until a load leaves it as it was.
    """

    def __init__(self) -> None:
        self.known: frozenset[str] = frozenset()
        self.passed_over: frozenset[str] = frozenset()
        """The files whose changes do not count at the moment."""
        self._before: Seen | None = None
        self._rest: Seen = {}
        self._loads: dict[str, int] = {}
        self._appearing = 0

    def begin(self, now: Seen) -> None:
        """A load begins, when the files hold this."""
        shared = now.keys() & self._rest.keys()
        if self._before is None and any(now[path] != self._rest[path] for path in shared):
            self._loads, self._appearing = {}, 0
        self._before, self.passed_over = now, self.known

    def end(self, now: Seen) -> frozenset[str]:
        """It has come to its end; the files that are known since then."""
        if self._before is None:
            return frozenset()
        before, self._before, self._rest = self._before, None, now
        self.passed_over = frozenset()
        changed = {p for p in now.keys() | before.keys() if now.get(p) != before.get(p)}
        self._loads = {path: self._loads.get(path, 0) + 1 for path in changed}
        made = {path for path, loads in self._loads.items() if loads >= LOADS}
        appeared = {path for path in changed if before.get(path) is None}
        self._appearing = self._appearing + 1 if appeared else 0
        if self._appearing >= LOADS:
            made |= appeared  # another name each time
        former, self.known = self.known, frozenset(made | (self.known & changed))
        return self.known - former


class Tracker:
    """Decides what an altered file means. Reads no files: `digest` tells what is known of them.

    Modules of the location's own code that nothing imports are *bystanders*: they do not count.
    A module that appears after the newest attempt is an *arrival*: it counts, for the import of
    it may have failed, until a load shows that nothing reads it.
    """

    named: frozenset[str]
    """The files that count whatever the folders hold: stated, or read by a load."""

    def __init__(self, watched: Watched, plan: Plan, digest: Callable[[str], str | None]) -> None:
        self.watched = watched
        self.plan = plan
        self._digest = digest
        self._read: frozenset[str] = frozenset()
        self._served_read: frozenset[str] = frozenset()
        self._seen: Seen = {}
        self._served: Seen | None = None
        self._told: Seen = {}
        self._arrivals: set[str] = set()
        self._own_writes = OwnWrites()
        self.named = self._find_named()
        self._matched = set(plan.matched)
        self._bystanders = set().union(*plan.modules.values()) - self.named
        self._take_as_seen(self.named | self._matched)

    @property
    def folders(self) -> set[str]:
        """Where the location's own code is, and all that is named; not where nothing ever was."""
        there = (path for path in self.named if self._digest(path) or self._seen.get(path))
        return {self.watched.base, *self.watched.roots, *map(os.path.dirname, there)}

    @property
    def own_writes(self) -> frozenset[str]:
        """The files that its loads are known to write."""
        return self._own_writes.known

    def counted(self) -> set[str]:
        """Every file whose content matters now, deleted ones included."""
        return {*self._current(), *self._seen, *(self._served or ())}

    def concerns(self, path: str) -> bool:
        """Whether this file, altered, may mean anything."""
        return (
            path in self.named
            or path in self._seen
            or self.plan.matches(path)
            or self.plan.is_module(path)
        )

    def settle(self, path: str) -> bool:
        """Takes note of a file that was looked at; whether that is news.

        News is what the newest attempt did not see, and what was not news before.
        """
        if path not in self.named and path not in self._seen and not self._joins(path):
            return False
        if path in self._own_writes.passed_over:
            return False
        now, seen = self._digest(path), self._seen.get(path)
        news = now != self._told.get(path, seen)
        self._told[path] = now
        return news and now != seen

    def change(self, *, locked: bool) -> Change:
        """What differs now; `locked` is what git says."""
        current = self._current()
        paths = self._differing(current, self._seen)
        inputs = not self.watched.inputs.isdisjoint(paths)
        served = paths if self._served is None else self._differing(current, self._served)
        return Change(len(served), tuple(sorted(paths)), inputs, locked)

    def differing(self) -> int:
        base = self._seen if self._served is None else self._served
        return len(self._differing(self._current(), base))

    def begin(self, prepared: bool = False) -> None:
        """What the files hold now is what the newest attempt sees.

        Of the inputs it sees what they held before, where it was `prepared` of them.
        """
        self._matched = {path for path in self._matched if self._digest(path)}
        self._arrivals = {path for path in self._arrivals if self._digest(path)}
        kept = self.watched.inputs & self._seen.keys() if prepared else frozenset()
        before = {path: self._seen[path] for path in kept}
        self._seen = {path: self._digest(path) for path in self._current()} | before
        self._told = {path: told for path, told in self._told.items() if path in kept}
        self._own_writes.begin({path: self._digest(path) for path in self._current()})

    def loaded(self, sources: Mapping[str, str]) -> None:
        """The newest attempt really read these, and nothing else of the location's code."""
        read: Seen = {path: sources[path] for path in self.plan.ignored.rest(sources)}
        unread = (self._arrivals & self._seen.keys()) - read.keys()
        self._arrivals -= unread | read.keys()
        self._bystanders = (self._bystanders | unread) - read.keys()
        self._seen = {p: seen for p, seen in self._seen.items() if p not in unread} | read
        if read.keys() != self._read:
            self._read = frozenset(read)
            self._name_again()

    def ended(self) -> frozenset[str]:
        """The newest attempt's load has come to its end, and the digests are of now.

        What loads are known to write counts as seen; returned are the files that are known newly.
        """
        now = {path: self._digest(path) for path in self._current() | self._seen.keys()}
        fresh = self._own_writes.end(now)
        self._seen |= {path: now[path] for path in self._own_writes.known & now.keys()}
        return fresh

    def took_over(self) -> None:
        """What the newest attempt saw is what is served."""
        if self._served_read != self._read:
            self._served_read = self._read
            self._name_again()
        self._served = {path: seen for path, seen in self._seen.items() if seen}

    def adopt(self, watched: Watched, plan: Plan) -> None:
        """Goes on with another plan; files that are asked for only now count as seen."""
        before, self.watched, self.plan = self.watched, watched, plan
        self._name_again()
        self._bystanders &= set().union(*plan.modules.values())
        for root, modules in plan.modules.items():
            fresh = modules - self.named - self._bystanders - self._arrivals
            (self._arrivals if root in before.roots else self._bystanders).update(fresh)
        self._arrivals -= self.named
        self._matched = set(plan.matched)
        same_globs = _globs(before) == _globs(watched)
        if not same_globs:
            self._forget(self.counted() - self._current())
        asked = self.named if same_globs else self.named | self._matched
        self._take_as_seen(asked - self._seen.keys())

    def _find_named(self) -> frozenset[str]:
        paths = self.watched.files | self.watched.inputs | self._read | self._served_read
        return self.plan.ignored.rest(paths)

    def _name_again(self) -> None:
        """Those that are named no longer are bystanders, where they exist."""
        named = self._find_named()
        if named != self.named:
            dropped = self.named - named - self._matched
            self.named = named
            self._forget(dropped)
            self._bystanders |= {p for p in dropped if self.plan.is_module(p) and self._digest(p)}
        self._bystanders -= self.named

    def _forget(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._seen.pop(path, None)
            if self._served:
                self._served.pop(path, None)

    def _current(self) -> set[str]:
        return {*self.named, *self._matched, *self._arrivals}

    def _take_as_seen(self, paths: Iterable[str]) -> None:
        new = {path: self._digest(path) for path in paths}
        self._seen |= new
        if self._served is not None:
            self._served = new | self._served

    def _differing(self, current: set[str], base: Seen) -> list[str]:
        paths = current | base.keys()
        paths -= self._own_writes.passed_over
        return [path for path in paths if self._digest(path) != base.get(path)]

    def _joins(self, path: str) -> bool:
        """Takes note of a file that was none of those that count; whether it is one now."""
        if self.plan.matches(path):
            self._matched.add(path)
            return True
        if path in self._bystanders:
            if self._digest(path) is None:
                self._bystanders.discard(path)
            return False
        if self.plan.is_module(path):
            self._arrivals.add(path)
            return True
        return False


def _globs(watched: Watched) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return watched.base, watched.patterns, watched.ignore
