"""A process that outlives the one it was forked from: a grandchild, which the daemon adopts."""

from __future__ import annotations

import os
from time import monotonic, sleep

from .. import parent
from ..jsontext import loads
from . import fresh
from .acceptance import answer
from .obstacles import outdated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from .acceptance import Verdict
    from .warmth import Warmth

    Life = Callable[[Dict[str, Any], List[int], Warmth, Verdict], None]

ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0001


def fork(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, life: Life) -> None:
    """`life` is what the new process does; it returns only where it has to refuse.

    Meanwhile this process looks whether what it has preloaded is current: the other would first
    copy the modules' memory. It waits for the verdict before it runs any user code.
    """
    hearing, telling = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        refuse(descriptors[-1], error)
    else:
        if not child:
            os.close(telling)
            live(order, descriptors, warmth, life, lambda: told(hearing))
        answer(telling, {"outdated": outdated(warmth)})
        os.waitpid(child, 0)
    os.close(hearing)
    os.close(telling)


def live(
    order: Dict[str, Any], descriptors: List[int], warmth: Warmth, life: Life, verdict: Verdict
) -> None:
    """In a grandchild; does not return."""
    try:
        try:
            if os.fork():
                os._exit(0)
        except OSError as error:
            refuse(descriptors[-1], error)
            os._exit(1)
        os.setsid()
        await_adoption(order["parent"])
        fresh.part_from_siblings()
        life(order, descriptors, warmth, verdict)
    finally:
        os._exit(1)


def refuse(telling: int, error: OSError) -> None:
    answer(telling, {"refused": f"it cannot fork: {error}", "stale": False})


def told(hearing: int) -> Optional[str]:
    """The verdict of the process that forked. Raises ValueError when it ended without a word."""
    said: Optional[str] = loads(os.read(hearing, 65536).decode())["outdated"]
    os.close(hearing)
    return said


def await_adoption(daemon: int) -> None:
    """Only a process whose parent is the daemon can ask to die with it."""
    end = monotonic() + ADOPTION_SECONDS
    while os.getppid() != daemon and monotonic() < end:
        sleep(PAUSE_SECONDS)
    parent.bind(daemon)
