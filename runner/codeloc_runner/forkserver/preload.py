"""What a warm interpreter imports before its runners, and holds for them."""

from __future__ import annotations

import os
import sys

from ..load.sources import is_installed
from .fork_blockers import ProcessState, blockers_since

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import (
        AbstractSet,
        Any,
        Container,
        Dict,
        Iterable,
        List,
        Mapping,
        Optional,
        Sequence,
        Set,
        Tuple,
    )

    from .fork_blockers import RegisteredHooks
    from .interpreter import Channel

    Stamp = Optional[Tuple[int, int, int]]


class FailedLookups:
    """Modules that packages look for in vain where a location's own folders are not searched.

    It is a finder that finds nothing, asked last.
    """

    __slots__ = ("names",)

    def __init__(self) -> None:
        self.names: Set[str] = set()
        sys.meta_path.append(self)

    def end(self) -> Set[str]:
        """Top-level names. Some packages have their own idea of who may stand in the list."""
        finders: Any = sys.meta_path
        finders[:] = [finder for finder in finders if finder is not self]
        return self.names

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if path is None:
            self.names.add(fullname)
        return None


class Stamps:
    """What the preloaded modules came from, to notice that it is no longer the same.

    Files of modules, `.pth` files and interpreter by their stat, package folders by names.

    A package that is installed, removed or upgraded in place changes one of them.
    """

    __slots__ = ("_files", "_folders")

    def __init__(self, path: Sequence[str]) -> None:
        """Before anything is preloaded: what is installed meanwhile is a change."""
        self._folders = {entry: names_in(entry) for entry in path if is_installed(entry + os.sep)}
        self._files = {file: stamp(file) for file in deciding(self._folders)}

    def cover_modules(self) -> None:
        for module in list(sys.modules.values()):
            file = getattr(getattr(module, "__spec__", None), "origin", None)
            if isinstance(file, str) and os.path.isabs(file):
                self._files.setdefault(file, stamp(file))

    def changed(self) -> Optional[str]:
        """The first file or folder that is not what it was."""
        for folder, known in self._folders.items():
            if names_in(folder) != known:
                return folder
        for file, former in self._files.items():
            if stamp(file) != former:
                return file
        return None


def names_in(folder: str) -> Sequence[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name != "__pycache__")
    except OSError:
        return ()


def stamp(file: str) -> Stamp:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def deciding(folders: Dict[str, Sequence[str]]) -> Iterable[str]:
    """What decides about `sys.path` and the interpreter itself."""
    yield sys.executable
    yield os.path.join(sys.prefix, "pyvenv.cfg")
    for folder, inside in folders.items():
        yield from (os.path.join(folder, name) for name in inside if name.endswith(".pth"))


class Preloaded:
    """What a warm interpreter holds for the runners that it becomes.

    `first` and `path`: their `sys.path` before and after what is the location's; `known`: what
    every interpreter imports by itself; `added`: the variables that imports have set; `modules`:
    what there is to share, `packages`: their top-level names, without `known`; `missing`: those
    that were looked for in vain; `read`: the variables that imports have asked for, `decisive`:
    how those begin that libraries in C may have read; `shared`: the modules themselves; `failed`:
    those whose import did. `channel` is its own alone.
    """

    __slots__ = (
        "added",
        "channel",
        "decisive",
        "failed",
        "first",
        "known",
        "missing",
        "modules",
        "packages",
        "path",
        "read",
        "shared",
        "stamps",
    )

    def __init__(self, channel: Channel, path: List[str], known: AbstractSet[str]) -> None:
        self.channel = channel
        self.first: List[str] = []
        self.path = path
        self.known = known
        self.stamps = Stamps(path)
        self.added: Mapping[str, str] = {}
        self.modules: AbstractSet[str] = frozenset()
        self.missing: AbstractSet[str] = frozenset()
        self.packages: AbstractSet[str] = frozenset()
        self.read: AbstractSet[str] = frozenset()
        self.decisive: Tuple[str, ...] = ()
        self.failed: Sequence[str] = ()
        self.shared: Mapping[str, ModuleType] = {}

    def adopt_modules(self) -> None:
        """All that are here now are to share."""
        self.modules = frozenset(sys.modules)
        self.shared = dict(sys.modules)
        self.packages = frozenset(top(name) for name in self.modules - set(self.known))
        self.stamps.cover_modules()

    def adopt_path(self) -> None:
        """With what imports have put there: before everything, or anywhere behind."""
        start = next((i for i, entry in enumerate(sys.path) if entry in self.path), len(sys.path))
        self.first, self.path = sys.path[:start], sys.path[start:]


def preload(modules: Iterable[str], left_out: Container[str]) -> List[str]:
    """All but the packages that are left out; the modules that exist, but failed.

    A module that cannot be imported is left to the loads that want it: they will tell why.
    """
    failed = []
    for name in modules:
        if top(name) not in left_out:
            try:
                __import__(name)
            except BaseException as error:  # noqa: BLE001  sys.exit() at import included
                if not is_absent(name, error):
                    failed.append(name)
    return failed


def is_absent(name: str, error: BaseException) -> bool:
    """Whether the import of the module failed because there is none, or no package for it."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def preload_carefully(
    modules: Sequence[str], own: Set[str], cold: Dict[str, str], hooks: RegisteredHooks
) -> List[str]:
    """One package after the other, each tried in a child first; those that failed.

    `cold` holds the packages that forbid a fork, and why; what is found is added. A module takes
    its place in `sys.modules` when its import is complete, so what others are built on comes
    before them: the blame falls on the package that deserves it, then on what cannot do without.
    """
    failed = []
    for name, members in packages(modules).items():
        if name in cold or name in own:
            continue
        reason = tried(members, own, cold, hooks)
        if reason:
            cold[name] = reason
        else:
            failed += preload(members, own)
    return failed


def packages(modules: Sequence[str]) -> Dict[str, List[str]]:
    """Modules by package, in the order in which the packages were complete."""
    groups: Dict[str, List[str]] = {}
    for name in sorted(modules, key=lambda one: "." in one):
        groups.setdefault(top(name), []).append(name)
    return groups


def tried(modules: List[str], own: Set[str], cold: Dict[str, str], hooks: RegisteredHooks) -> str:
    """Why these cannot be preloaded, "" if they can."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.write(writing, verdict(modules, own, cold, hooks).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said if said or not status else f"its import ended the process (status {status})"


def verdict(modules: List[str], own: Set[str], cold: Dict[str, str], hooks: RegisteredHooks) -> str:
    before = ProcessState(hooks)
    preload(modules, own)
    needed = [f"it imports {name}" for name in cold if name in sys.modules]
    return "; ".join(needed or blockers_since(before, own))


def top(name: str) -> str:
    return name.partition(".")[0]
