"""From an order to a runner: in a process of its own, as if it had just been started."""

from __future__ import annotations

import os
from time import monotonic, sleep

from .. import main, parent
from ..jsontext import dumps, loads
from ..settings import Settings
from . import fresh
from .obstacles import obstacle, outdated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional

    from .warmth import Warmth


ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0005


def fork(order: Dict[str, Any], descriptors: List[int], warmth: Warmth) -> None:
    """A runner that outlives this process: a grandchild, which the daemon then adopts.

    Meanwhile this process looks whether what it has preloaded is current: a runner would first
    copy the modules' memory. It waits for the answer before it runs any user code.
    """
    hearing, telling = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        answer(descriptors[-1], {"refused": f"it cannot fork: {error}", "stale": False})
    else:
        if not child:
            os.close(telling)
            be_grandchild(order, descriptors, warmth, hearing)
        answer(telling, {"outdated": outdated(warmth)})
        os.waitpid(child, 0)
    os.close(hearing)
    os.close(telling)


def be_grandchild(
    order: Dict[str, Any], descriptors: List[int], warmth: Warmth, hearing: int
) -> None:
    try:
        if os.fork():
            os._exit(0)
        os.setsid()
        await_adoption(order["parent"])
        become(order, descriptors, warmth, hearing)
    finally:
        os._exit(1)


def await_adoption(daemon: int) -> None:
    """Only a process whose parent is the daemon can ask to die with it."""
    end = monotonic() + ADOPTION_SECONDS
    while os.getppid() != daemon and monotonic() < end:
        sleep(PAUSE_SECONDS)
    parent.bind(daemon)


def become(
    order: Dict[str, Any], descriptors: List[int], warmth: Warmth, hearing: Optional[int] = None
) -> None:
    """Live as the runner that was ordered; returns only where it has to refuse.

    `hearing`: where a fork is told whether what was preloaded is outdated.
    """
    listening, out, err, telling = descriptors
    settings = Settings(order["location"], order["settings"])
    settings.socket_fd = listening
    why = obstacle(settings, warmth)
    old = outdated(warmth) if hearing is None else told(hearing)
    if why is not None or old is not None:
        answer(telling, {"refused": old or why, "stale": old is not None})
        return
    answer(telling, {"pid": os.getpid()})
    warmth.channel.close()
    for source, target in ((out, 1), (err, 2), (telling, None)):
        if target is not None:
            os.dup2(source, target)
        os.close(source)
    fresh.arrange([order["location"], order["settings"]], order["variables"], warmth.added)
    if hearing is not None:
        fresh.part_from_siblings()
    main.live(settings, list(warmth.path), warmth.modules)


def told(hearing: int) -> Optional[str]:
    """What the process that forked has found. Raises ValueError when it ended without a word."""
    said: Optional[str] = loads(os.read(hearing, 65536).decode())["outdated"]
    os.close(hearing)
    return said


def answer(descriptor: int, said: Mapping[str, Any]) -> None:
    os.write(descriptor, dumps(said).encode())
