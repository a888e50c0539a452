"""The life of a runner: serve, load, wait to be told to stop."""

from __future__ import annotations

import atexit
import os
from _thread import start_new_thread
from time import sleep

from . import exposed, owned, parent, sources, stdlib, streams, surroundings
from .bytecode import compile_kit as compile_kit
from .listener import Listener
from .load import load, no_departure
from .methods import Methods
from .serve import serve
from .settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, List

    from .load import Judge
    from .sources import Read

STOP_SECONDS = 5.0
"""For the functions that user code registered with `atexit`."""


def run(location: str, text: str, path: List[str], known: AbstractSet[str]) -> None:
    """`path`: what follows the location's own in `sys.path`; `known`: the modules that were there
    before the runner.
    """
    settings = Settings(location, text)
    parent.bind(settings.parent)
    streams.prepare()
    live(settings, surroundings.search_path(settings, path), known)


def live(
    settings: Settings, path: List[str], known: AbstractSet[str], departure: Judge = no_departure
) -> None:
    """As a runner, in a process that is bound and can print; does not return.

    `path`: what `sys.path` shall be, all of it; `departure`: as for `load`.
    """
    owned.forget_in_forks()
    vigilance = owned.Vigilance()
    methods = Methods()
    serve(Listener(settings.socket_fd, settings.socket_path, vigilance), methods)
    read = prepare_for_user_code(settings, path, known)
    own_process = os.getpid()
    outcome = load(settings, read, known, departure)
    if os.getpid() != own_process:
        return  # a child that user code forked and forgot: it ends like any script
    vigilance.relax()
    methods.loaded(outcome)
    methods.wait_for_stop()
    leave()


def prepare_for_user_code(settings: Settings, path: List[str], known: AbstractSet[str]) -> Read:
    """What fills with the digests of what is imported, and the names that its code uses."""
    own = stdlib.roots(path)
    stdlib.prepare(own)
    stdlib.release(known, own)
    read = sources.read_fresh()
    exposed.expose()
    exposed.hand_down()
    surroundings.arrange(settings, path)
    return read


def leave(status: int = 0) -> None:
    """End in order, but end: what hangs in an `atexit` function is given STOP_SECONDS."""
    start_new_thread(end_after, (STOP_SECONDS, status))
    try:  # noqa: SIM105  contextlib would cost milliseconds
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001, S110  user code's, and printed already
        pass
    streams.flush()
    os._exit(status)


def end_after(seconds: float, status: int) -> None:
    sleep(seconds)
    os._exit(status)
