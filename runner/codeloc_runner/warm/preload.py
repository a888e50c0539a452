"""Import modules that earlier loads were seen to import."""

from __future__ import annotations

import os
import sys

from .traces import Traces, offences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterable, List, Sequence, Set


def preload(modules: Iterable[str], own: Set[str]) -> None:
    """A module that cannot be imported is left to the loads that want it: they will tell why."""
    for name in modules:
        if top(name) not in own:
            try:
                __import__(name)
            except BaseException:  # noqa: BLE001, S112  sys.exit() at import included
                continue


def preload_carefully(modules: Sequence[str], own: Set[str]) -> Dict[str, str]:
    """One package after the other, each tried in a child first: those that forbid a fork, and why.

    The packages imported last by a load come first: they are what the others are built on, so
    the blame falls on the package that deserves it, then on what cannot do without it.
    """
    cold: Dict[str, str] = {}
    for name, members in reversed(list(packages(modules).items())):
        reason = tried(members, own, cold)
        if reason:
            cold[name] = reason
        else:
            preload(members, own)
    return cold


def packages(modules: Sequence[str]) -> Dict[str, List[str]]:
    groups: Dict[str, List[str]] = {}
    for name in modules:
        groups.setdefault(top(name), []).append(name)
    return groups


def tried(modules: List[str], own: Set[str], cold: Dict[str, str]) -> str:
    """Why these cannot be preloaded, "" if they can."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.write(writing, verdict(modules, own, cold).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said if said or not status else f"its import ended the process (status {status})"


def verdict(modules: List[str], own: Set[str], cold: Dict[str, str]) -> str:
    before = Traces()
    preload(modules, own)
    needed = [name for name in cold if name in sys.modules]
    if needed:
        return f"it needs {', '.join(needed)}"
    return "; ".join(offences(before, own))


def top(name: str) -> str:
    return name.partition(".")[0]
