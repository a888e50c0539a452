"""Sends what a look at a file showed to the locations that it concerns."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from codelocd.watch.files import Contents
from codelocd.watch.folders import Folders
from codelocd.watch.notices import Change
from codelocd.watch.plan import Plan
from codelocd.watch.tracker import Tracker


@dataclass(frozen=True, slots=True)
class View:
    """`names`: what the folder is called. `turns` and `aliases`: see Routes, by an entry's name;
    of the turns, the locations whose paths they lead.
    """

    names: frozenset[str]
    turns: Mapping[str, frozenset[str]]
    aliases: Mapping[str, frozenset[str]]

    def called(self, entry: str) -> set[str]:
        """Every path by which an entry is known."""
        named = {os.path.join(name, entry) for name in self.names}
        return named | self.aliases.get(entry, frozenset())


class Views:
    """Holds for as long as no plan changes: then everything is asked anew."""

    def __init__(self, folders: Folders, trackers: Mapping[str, Tracker]) -> None:
        self._folders = folders
        self._trackers = trackers
        self._views: dict[str, View] = {}
        self._readers = defaultdict[str, set[str]](set)
        self._named: dict[str, frozenset[str]] = {}

    def of(self, folder: str) -> View:
        """Of a watched folder, by its real path."""
        if folder not in self._views:
            users = self._folders.users(folder)
            self._views[folder] = view(folder, {one: self._trackers[one].plan for one in users})
        return self._views[folder]

    def readers(self, paths: Iterable[str]) -> set[str]:
        """The locations that name one of these files."""
        named, trackers = self._named, self._trackers
        changed = [one for one, each in trackers.items() if named.get(one) is not each.named]
        for location in (*changed, *(named.keys() - trackers.keys())):
            self._name_again(location)
        return set[str]().union(*(self._readers.get(path, ()) for path in paths))

    def _name_again(self, location: str) -> None:
        """Only what has changed: many locations name dozens of places each."""
        tracker, before = self._trackers.get(location), self._named.get(location, frozenset())
        now = tracker.named if tracker else frozenset()
        for path in () if now is before else now - before:
            self._readers[path].add(location)
        for path in () if now is before else before - now:
            self._readers[path].discard(location)
            if not self._readers[path]:
                del self._readers[path]
        if tracker:
            self._named[location] = now
        else:
            self._named.pop(location, None)

    def renew(self) -> None:
        """A location has another plan, or is gone."""
        self._views.clear()


def view(folder: str, plans: Mapping[str, Plan]) -> View:
    """Of a folder, by the plans of the locations that look at it."""
    turns = defaultdict[str, set[str]](set)
    aliases = defaultdict[str, set[str]](set)
    for location, plan in plans.items():
        for turn in plan.turns:
            if (entry := _inside(folder, turn)) is not None:
                turns[entry].add(location)
        for end, names in plan.aliases.items():
            if (entry := _inside(folder, end)) is not None:
                aliases[entry] |= names
    return View(
        frozenset(name for plan in plans.values() for name in plan.folders.get(folder, ())),
        {entry: frozenset(locations) for entry, locations in turns.items()},
        {entry: frozenset(names) for entry, names in aliases.items()},
    )


def _inside(folder: str, path: str) -> str | None:
    """The name of an entry, if `path` is one of this folder."""
    parent, name = os.path.split(path)
    return name if parent == folder else None


PACE = 0.01
"""Seconds between two changes of one location: during a burst, each would list all the others."""

OTHERS_LATER = 0.005
"""Seconds for which locations that do not read a file wait while those that do begin anew."""

UNJUDGED = "unjudged"
"""Stands for what no file contains."""


class News:
    """`tell(location, change)` is called on the loop, soon after what it tells was judged.

    `change(location)` is asked for it at that moment.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        trackers: Mapping[str, Tracker],
        contents: Contents,
        views: Views,
        change: Callable[[str], Change],
        tell: Callable[[str, Change], None],
    ) -> None:
        self._loop = loop
        self._trackers = trackers
        self._contents = contents
        self._views = views
        self._change = change
        self._tell = tell
        self._telling: dict[str, asyncio.TimerHandle] = {}
        self._not_before: dict[str, float] = {}
        self._judged: dict[str, str | None] = {}
        self._left: dict[str, set[str]] = {}
        self._others: asyncio.TimerHandle | None = None

    def looked(self, paths: Collection[str]) -> None:
        """Every location judges what was not judged yet; a look at what is known costs nothing."""
        found = {path: self._contents.digest(path) for path in paths}
        fresh = {p: seen for p, seen in found.items() if self._judged.get(p, UNJUDGED) != seen}
        if not fresh:
            return
        self._judged |= fresh
        readers = self._views.readers(fresh)
        for location in readers:
            self.judge(location, fresh)
        if len(readers) == len(self._trackers):
            return
        self._left |= dict.fromkeys(fresh, readers)
        if self._others is None:
            self._others = self._loop.call_later(OTHERS_LATER if readers else 0, self._judge_left)

    def is_known(self, absent: Collection[str]) -> None:
        """These are looked at for the first time and are not there: no location need judge that."""
        self._judged |= dict.fromkeys(absent)

    def judge(self, location: str, paths: Collection[str]) -> None:
        """By what is known of them now."""
        news = [path for path in paths if self._trackers[location].settle(path)]
        if news and location not in self._telling:
            when = self._not_before.get(location, 0.0)
            self._telling[location] = self._loop.call_at(when, self._tell_of, location)

    def forget(self, location: str) -> None:
        """Nothing more is told of it."""
        if telling := self._telling.pop(location, None):
            telling.cancel()
        self._not_before.pop(location, None)

    def keep(self, paths: Collection[str]) -> None:
        """Forgets what was judged of all others."""
        self._judged = {path: seen for path, seen in self._judged.items() if path in paths}

    def close(self) -> None:
        if self._others is not None:
            self._others.cancel()

    def _judge_left(self) -> None:
        self._others = None
        left, self._left = self._left, {}
        for location in self._trackers:
            if paths := [path for path, judges in left.items() if location not in judges]:
                self.judge(location, paths)

    def _tell_of(self, location: str) -> None:
        del self._telling[location]
        self._not_before[location] = self._loop.time() + PACE
        change = self._change(location)
        if change.paths:  # else an attempt began in between
            self._tell(location, change)
