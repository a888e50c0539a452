"""From an order to a runner: in a process of its own, as if it had just been started."""

from __future__ import annotations

import os
from time import monotonic, sleep

from .. import main, parent, surroundings
from ..jsontext import dumps, loads
from ..settings import Settings
from . import fresh
from .obstacles import obstacle, outdated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional

    from .warmth import Warmth

    Verdict = Callable[[], Optional[str]]
    Life = Callable[[Dict[str, Any], List[int], Warmth, Verdict], None]

ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0005


def fork(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, life: Life) -> None:
    """A process that outlives this one: a grandchild, which the daemon then adopts.

    `life` is what it does; it returns only where it has to refuse. Meanwhile this process looks
    whether what it has preloaded is current: the other would first copy the modules' memory. It
    waits for the verdict before it runs any user code.
    """
    hearing, telling = os.pipe()
    try:
        child = os.fork()
    except OSError as error:
        answer(descriptors[-1], {"refused": f"it cannot fork: {error}", "stale": False})
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
        if os.fork():
            os._exit(0)
        os.setsid()
        await_adoption(order["parent"])
        life(order, descriptors, warmth, verdict)
    finally:
        os._exit(1)


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


def forked(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, verdict: Verdict) -> None:
    """The life of a fork that was ordered to be a runner."""
    fresh.part_from_siblings()
    become(order, descriptors, warmth, verdict)


def become(order: Dict[str, Any], descriptors: List[int], warmth: Warmth, verdict: Verdict) -> None:
    """Live as the runner that was ordered; returns only where it has to refuse.

    `verdict()` says what that was preloaded is outdated, if anything.
    """
    listening, *own = descriptors
    settings = Settings(order["location"], order["settings"])
    settings.socket_fd = listening
    path = surroundings.search_path(settings, warmth.path)
    if not accepted(settings.working_directory, path, own, warmth, verdict):
        return
    fresh.arrange([order["location"], order["settings"]], order["variables"], warmth.added)
    main.live(settings, list(warmth.path), warmth.modules)


def accepted(
    directory: str, path: List[str], own: List[int], warmth: Warmth, verdict: Verdict
) -> bool:
    """Whether a process with that `sys.path` can begin here; then it is in its working directory.

    `own`: its standard output and error, and the socket for the answer.
    """
    out, err, telling = own
    why = obstacle(directory, path, warmth)
    old = verdict()
    if why is not None or old is not None:
        answer(telling, {"refused": old or why, "stale": old is not None})
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
