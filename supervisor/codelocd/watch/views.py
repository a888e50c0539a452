"""What all locations together make of folders and files: asked once, not once for each."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codelocd.watch.folders import Folders
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
        self._readers: dict[str, set[str]] = {}

    def of(self, folder: str) -> View:
        """Of a watched folder, by its real path."""
        if folder not in self._views:
            users = self._folders.users(folder)
            self._views[folder] = view(folder, {one: self._trackers[one].plan for one in users})
        return self._views[folder]

    def readers(self, paths: Iterable[str]) -> set[str]:
        """The locations that name one of these files, and some that did."""
        if not self._readers:
            self._readers = _readers(self._trackers)
        return set[str]().union(*(self._readers.get(path, ()) for path in paths))

    def renew(self) -> None:
        """A location has another plan, or is gone."""
        self._views.clear()
        self._readers.clear()


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


def _readers(trackers: Mapping[str, Tracker]) -> dict[str, set[str]]:
    readers = defaultdict[str, set[str]](set)
    for location, tracker in trackers.items():
        for path in tracker.named:
            readers[path].add(location)
    return dict(readers)


def _inside(folder: str, path: str) -> str | None:
    """The name of an entry, if `path` is one of this folder."""
    parent, name = os.path.split(path)
    return name if parent == folder else None
