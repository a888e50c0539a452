"""Which folders decide what a path leads to, links and missing parts included."""

from __future__ import annotations

import os
from collections import defaultdict

_MAX_LINKS = 40
"""The kernel's own limit (path_resolution(7))."""


class Routes:
    """Collects, for many paths, the folders to watch and what their entries mean.

    `names`: real folder → the names by which its entries were asked for (none: only its `turns`
    matter). `turns`: entries, by real path, whose change makes some path lead elsewhere.
    `aliases`: real path of a file → the names of links that lead to it.
    """

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        self.turns: set[str] = set()
        self.aliases: defaultdict[str, set[str]] = defaultdict(set)
        self._real: dict[str, str | None] = {}
        self._plain: set[str] = {"/"}

    def folder(self, path: str) -> str | None:
        """The real path of a folder, or None: then its nearest existing parent is watched."""
        if path not in self._real:
            self._real[path] = self._find_folder(path)
        return self._real[path]

    def file(self, path: str) -> None:
        """A file that is there, or may come."""
        folder, name = os.path.split(path)
        real = self.folder(folder)
        if real is None:
            return
        entry = os.path.join(real, name)
        target = _link(entry)
        if target is not None:
            self._turn(entry)
            end, _ = self._walk(os.path.join(real, target))
            self.aliases[end].add(path)
            self.names.setdefault(os.path.dirname(end), set())

    def _find_folder(self, path: str) -> str | None:
        end, exists = self._walk(path)
        if not exists or not os.path.isdir(end):
            self._turn(end)
            return None
        self.names.setdefault(end, set()).add(path)
        return end

    def _walk(self, path: str) -> tuple[str, bool]:
        """The real path of the end, or of what stands where it goes no further, and which."""
        here, rest, links = "/", path.split("/")[::-1], 0
        while rest:
            entry = os.path.normpath(os.path.join(here, rest.pop()))
            if entry in self._plain:
                here = entry
                continue
            target = _link(entry)
            if target is not None:
                self._turn(entry)
                links += 1
                rest.extend(target.split("/")[::-1])
                here = "/" if target.startswith("/") else here
            elif os.path.lexists(entry):
                self._plain.add(entry)
                here = entry
            if links > _MAX_LINKS or (target is None and here != entry):
                return self._turn(entry if os.path.isdir(here) else here), False
        return here, True

    def _turn(self, entry: str) -> str:
        self.turns.add(entry)
        self.names.setdefault(os.path.dirname(entry), set())
        return entry


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return None
