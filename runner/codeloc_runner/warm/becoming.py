"""From an order to a runner: in a process of its own, as if it had just been started."""

from __future__ import annotations

import os
from time import monotonic, sleep

from .. import main, parent
from ..jsontext import dumps
from ..settings import Settings
from . import fresh
from .obstacles import obstacle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping

    from .warmth import Warmth


ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0005


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
    why = obstacle(settings, warmth)
    if why is not None:
        answer(telling, {"refused": why, "stale": False})
        return
    answer(telling, {"pid": os.getpid()})
    warmth.channel.close()
    for source, target in ((out, 1), (err, 2), (telling, None)):
        if target is not None:
            os.dup2(source, target)
        os.close(source)
    fresh.arrange([order["location"], order["settings"]], order["variables"], warmth.added)
    if forked:
        fresh.part_from_siblings()
    main.live(settings, list(warmth.path), warmth.modules)


def answer(descriptor: int, said: Mapping[str, Any]) -> None:
    os.write(descriptor, dumps(said).encode())
