"""Import modules that earlier loads were seen to import."""

from __future__ import annotations

import os
import sys

from .traces import Traces, offences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Container, Dict, Iterable, List, Sequence, Set

    from .hooks import Hooks


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
                if not (isinstance(error, ModuleNotFoundError) and error.name == name):
                    failed.append(name)
    return failed


def preload_carefully(
    modules: Sequence[str], own: Set[str], cold: Dict[str, str], hooks: Hooks
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


def tried(modules: List[str], own: Set[str], cold: Dict[str, str], hooks: Hooks) -> str:
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


def verdict(modules: List[str], own: Set[str], cold: Dict[str, str], hooks: Hooks) -> str:
    before = Traces(hooks)
    preload(modules, own)
    needed = [f"it imports {name}" for name in cold if name in sys.modules]
    return "; ".join(needed or offences(before, own))


def top(name: str) -> str:
    return name.partition(".")[0]
