"""From an order to a runner: in a process of its own, as if it had just been started."""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from .. import main, parent, stdlib, surroundings
from ..jsontext import dumps
from ..settings import Settings
from . import fresh
from .stamps import Stamps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List, Mapping, Optional

    from .channel import Channel


ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0005


class Warmth:
    """What a warm interpreter has, and what its runners need of it.

    `path`: their `sys.path`; `known`: what every interpreter imports by itself; `added`: the
    variables that imports have set; `modules`: what there is to share. `channel` is its own alone.
    """

    __slots__ = ("added", "channel", "known", "modules", "path", "stamps")

    def __init__(self, channel: Channel, path: List[str], known: AbstractSet[str]) -> None:
        self.channel = channel
        self.path = path
        self.known = known
        self.stamps = Stamps(path)
        self.added: Mapping[str, str] = {}
        self.modules: AbstractSet[str] = frozenset()


def fork(order: Dict[str, Any], descriptors: List[int], warmth: Warmth) -> None:
    """A runner that outlives this process: a grandchild, which the daemon then adopts."""
    try:
        child = os.fork()
    except OSError as error:
        answer(descriptors[-1], {"refused": f"it cannot fork: {error}", "stale": False})
        return
    if not child:
        try:
            if os.fork():
                os._exit(0)
            os.setsid()
            await_adoption(order["parent"])
            become(order, descriptors, warmth, forked=True)
        finally:
            os._exit(1)
    os.waitpid(child, 0)


def await_adoption(daemon: int) -> None:
    """Only a process whose parent is the daemon can ask to die with it."""
    end = monotonic() + ADOPTION_SECONDS
    while os.getppid() != daemon and monotonic() < end:
        sleep(PAUSE_SECONDS)
    parent.bind(daemon)


def become(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, *, forked: bool) -> None:
    """Live as the runner that was ordered; returns only where it has to refuse."""
    listening, out, err, telling = descriptors
    settings = Settings(order["location"], order["settings"])
    settings.socket_fd = listening
    refusal = refused(settings, warmth)
    if refusal is not None:
        answer(telling, refusal)
        return
    answer(telling, {"pid": os.getpid()})
    warmth.channel.close()
    for source, target in ((out, 1), (err, 2), (telling, None)):
        if target is not None:
            os.dup2(source, target)
        os.close(source)
    fresh.arrange([order["location"], order["settings"]], order["variables"], warmth.added)
    if forked:
        fresh.draw_new_secrets()
    main.live(settings, list(warmth.path), warmth.modules)


def refused(settings: Settings, warmth: Warmth) -> Optional[Dict[str, Any]]:
    """Why this runner has to start cold, `stale` if every other one has to as well."""
    changed = warmth.stamps.changed()
    if changed is not None:
        return {"refused": f"{changed} has changed since it was preloaded", "stale": True}
    name = shadowed(settings, warmth)
    if name is not None:
        why = f"its own {name} stands before the module {name} of the environment"
        return {"refused": why, "stale": False}
    try:
        os.chdir(settings.working_directory)
    except OSError as error:
        return {"refused": str(error), "stale": False}
    return None


def shadowed(settings: Settings, warmth: Warmth) -> Optional[str]:
    """A shared module that the location's folders would replace in a cold start."""
    own = stdlib.roots(surroundings.search_path(settings, warmth.path))
    there = {name.partition(".")[0] for folder in own for name in listed(folder)}
    shared = {name.partition(".")[0] for name in sys.modules if name not in warmth.known}
    for name in sorted(there & shared):
        if stdlib.is_replaceable(name) and stdlib.is_shadowed(name, own):
            return name
    return None


def listed(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def answer(descriptor: int, said: Mapping[str, Any]) -> None:
    os.write(descriptor, dumps(said).encode())
