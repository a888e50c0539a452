"""Finds the folders to watch for one location, through links and for paths that do not exist
yet."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from codeloc_envs.problem import shortage
from codelocd.watch.notices import Watched
from codelocd.watch.patterns import (
    ENVIRONMENT_MARKS,
    NEVER,
    Ignored,
    Tree,
    is_leftover,
    is_module,
    trees,
)

MOST_FOLDERS = 4096
"""Folders below one root or pattern; half of what a system's whole inotify limit often is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`folders`: real path of every folder to watch → the names its entries go by.

    `turns` and `aliases`: see Routes. `code` and `globbed`: names of the folders where new
    modules count and where globs apply. `modules`: root → the modules that are there.
    `matched`: the files that the globs match. `cut`: roots with too many folders below them.
    """

    folders: Mapping[str, tuple[str, ...]]
    turns: frozenset[str]
    aliases: Mapping[str, frozenset[str]]
    code: frozenset[str]
    globbed: Mapping[str, tuple[Tree, ...]]
    ignored: Ignored
    modules: Mapping[str, frozenset[str]]
    matched: frozenset[str]
    cut: tuple[str, ...]

    def is_module(self, path: str) -> bool:
        """Whether a file here would be a module of the location's own code."""
        folder, name = _split(path)
        return folder in self.code and is_module(name) and not self.ignored.file(path)

    def matches(self, path: str) -> bool:
        """Whether a file here counts by a glob."""
        if not self.globbed:
            return False
        folder, name = _split(path)
        found = any(tree.matches(path) for tree in self.globbed.get(folder, ()))
        return found and not is_leftover(name) and not self.ignored.file(path)

    def grows_at(self, path: str) -> bool:
        """Whether a folder here would be one to look into."""
        folder, name = _split(path)
        inside = folder in self.code or folder in self.globbed
        return inside and name not in NEVER and not self.ignored.folder(path)


class _Survey:
    """A plan in the making: walks the trees and notes what it finds."""

    def __init__(self, ignored: Ignored) -> None:
        self.routes = Routes()
        self.ignored = ignored
        self.code: set[str] = set()
        self.globbed: dict[str, tuple[Tree, ...]] = {}
        self.modules: dict[str, frozenset[str]] = {}
        self.matched: set[str] = set()
        self.cut: list[str] = []

    def add_root(self, root: str) -> None:
        found: list[frozenset[str]] = []
        for folder, names, links in self._walk(os.path.normpath(root), str.isidentifier):
            self.code.add(folder)
            modules = self.ignored.rest(_modules(folder, tuple(names)))
            found.append(modules)
            self._follow(modules & {os.path.join(folder, name) for name in links})
        self.modules[root] = found[0] if len(found) == 1 else frozenset[str]().union(*found)

    def add_tree(self, tree: Tree) -> None:
        for folder, names, links in self._walk(tree.folder, lambda _: tree.recursive):
            self.globbed[folder] = (*self.globbed.get(folder, ()), tree)
            paths = (os.path.join(folder, name) for name in names if not is_leftover(name))
            found = {p for p in paths if tree.matches(p) and not self.ignored.file(p)}
            self.matched |= found
            self._follow(found & {os.path.join(folder, name) for name in links})

    def _follow(self, links: Iterable[str]) -> None:
        """Their folder is walked already: what is no link leads nowhere else."""
        self.routes.files(links)

    def _walk(
        self, top: str, enters: Callable[[str], bool]
    ) -> Iterator[tuple[str, list[str], set[str]]]:
        """Each folder worth watching, nearest first, with the names of its files, and of the
        links among them.
        """
        waiting, seen = deque([top]), set[str]()
        while waiting:
            folder = waiting.popleft()
            real = self.routes.folder(folder)
            if real is None or real in seen:
                continue
            if len(seen) == MOST_FOLDERS:
                self.cut.append(top)
                return
            seen.add(real)
            files, folders, links = _entries(folder)
            if folder != top and not ENVIRONMENT_MARKS.isdisjoint(files + folders):
                continue
            yield folder, files, links
            below = (os.path.join(folder, n) for n in folders if n not in NEVER and enters(n))
            waiting.extend(path for path in below if not self.ignored.folder(path))


@lru_cache(maxsize=256)
def _modules(folder: str, names: tuple[str, ...]) -> frozenset[str]:
    """Those that an import could reach: one set for all locations of which a folder is the root."""
    return frozenset(os.path.join(folder, name) for name in names if is_module(name))


def _entries(folder: str) -> tuple[list[str], list[str], set[str]]:
    """The names of its files, of its folders, and of links; none where it cannot be read.

    OSError where the machine lacks what that takes for now.
    """
    files: list[str] = []
    folders: list[str] = []
    links: set[str] = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if entry.is_dir() else files).append(entry.name)
                if entry.is_symlink():
                    links.add(entry.name)
    except OSError as error:
        if shortage(error):
            raise
        return [], [], set()
    return sorted(files), sorted(folders), links


def _split(path: str) -> tuple[str, str]:
    """os.path.split for absolute, normal paths: a quarter of its time, and a burst is long."""
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def make_plan(watched: Watched, sources: Iterable[str]) -> Plan:
    """`sources` are files that count beside those of `watched`. Reads the file system; OSError
    where the machine lacks what that takes for now."""
    survey = _Survey(Ignored(watched.base, watched.ignore))
    for root in watched.roots:
        survey.add_root(root)
    for tree in trees(watched.base, watched.patterns):
        survey.add_tree(tree)
    survey.routes.files({*watched.files, *watched.inputs, *sources})
    return Plan(
        folders={real: tuple(names) for real, names in survey.routes.names.items()},
        turns=frozenset(survey.routes.turns),
        aliases={end: frozenset(names) for end, names in survey.routes.aliases.items()},
        code=frozenset(survey.code),
        globbed=survey.globbed,
        ignored=survey.ignored,
        modules=survey.modules,
        matched=frozenset(survey.matched),
        cut=tuple(survey.cut),
    )


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
        if path in self._real:
            return self._real[path]
        end, exists = self._walk(path)
        if not exists or not os.path.isdir(end):
            self._turn(end)
            self._real[path] = None
            return None
        self.names.setdefault(end, set()).add(path)
        self._real[path] = end
        return end

    def files(self, paths: Iterable[str]) -> None:
        """Files that are there, or may come."""
        for path in paths:
            folder, _, name = path.rpartition("/")
            folder = folder or "/"
            real = self._real[folder] if folder in self._real else self.folder(folder)
            if real is None:
                continue
            entry = f"{real}/{name}" if real != "/" else f"/{name}"
            target = _link(entry)
            if target is not None:
                self._turn(entry)
                end, _ = self._walk(os.path.join(real, target))
                self.aliases[end].add(path)
                self.names.setdefault(os.path.dirname(end), set())

    def _walk(self, path: str) -> tuple[str, bool]:
        """The real path of the end, or of what stands where it goes no further, and which."""
        here = path
        while here not in self._plain:
            here = here.rpartition("/")[0] or "/"
        rest, links = [part for part in path[len(here) :].split("/")[::-1] if part], 0
        while rest:
            entry = f"{here if here != '/' else ''}/{rest.pop()}"
            if entry.endswith(("/", "/.", "/..")):
                entry = os.path.normpath(entry)
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
