"""From an order to a runner: in a process of its own, as if it had just been started."""

from __future__ import annotations

import os
from time import monotonic, sleep

from .. import main, parent, surroundings
from ..jsontext import dumps
from ..settings import Settings
from . import fresh
from .obstacles import obstacle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping

    from .warmth import Warmth

    Life = Callable[[Dict[str, Any], List[int], Warmth], None]

ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0005


def fork(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, life: Life) -> None:
    """A process that outlives this one: a grandchild, which the daemon then adopts.

    `life` is what it does; it returns only where it has to refuse.
    """
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
            life(order, descriptors, warmth)
        finally:
            os._exit(1)
    os.waitpid(child, 0)


def await_adoption(daemon: int) -> None:
    """Only a process whose parent is the daemon can ask to die with it."""
    end = monotonic() + ADOPTION_SECONDS
    while os.getppid() != daemon and monotonic() < end:
        sleep(PAUSE_SECONDS)
    parent.bind(daemon)


def forked(order: Dict[str, Any], descriptors: List[int], warmth: Warmth) -> None:
    """The life of a fork that was ordered to be a runner."""
    fresh.part_from_siblings()
    become(order, descriptors, warmth)


def become(order: Dict[str, Any], descriptors: List[int], warmth: Warmth) -> None:
    """Live as the runner that was ordered; returns only where it has to refuse."""
    listening, *own = descriptors
    settings = Settings(order["location"], order["settings"])
    settings.socket_fd = listening
    path = surroundings.search_path(settings, warmth.path)
    if not accepted(settings.working_directory, path, own, warmth):
        return
    fresh.arrange([order["location"], order["settings"]], order["variables"], warmth.added)
    main.live(settings, list(warmth.path), warmth.modules)


def accepted(directory: str, path: List[str], own: List[int], warmth: Warmth) -> bool:
    """Whether a process with that `sys.path` can begin here; then it is in its working directory.

    `own`: its standard output and error, and the socket for the answer.
    """
    out, err, telling = own
    why = obstacle(directory, path, warmth)
    if why is not None:
        answer(telling, {"refused": why, "stale": False})
        return False
    answer(telling, {"pid": os.getpid()})
    warmth.channel.close()
    for source, target in ((out, 1), (err, 2)):
        os.dup2(source, target)
    for descriptor in own:
        os.close(descriptor)
    return True


def answer(descriptor: int, said: Mapping[str, Any]) -> None:
    os.write(descriptor, dumps(said).encode())
