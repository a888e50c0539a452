"""The life of a runner: serve, load, wait to be told to stop."""

from __future__ import annotations

import atexit
import os
import sys
from _frozen_importlib_external import SourceFileLoader
from _thread import start_new_thread
from os import _exit
from time import sleep

from . import standard_library
from .codeloc_finder import add_finder, prepare_children
from .load.location import load, no_divergence
from .load.sources import BUNDLE, read_fresh
from .process import (
    Settings,
    arrange_interpreter,
    die_with,
    flush_streams,
    hold_to_limits,
    live_as_long_as,
    prepare_streams,
    print_stacks_at,
    search_path,
)
from .serving import ServingLock
from .wire.methods import Methods
from .wire.server import CheckInterval, Listener, close_in_forks, serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Callable, Iterator, List, NoReturn, Sequence, TypeVar

    from .load.location import Judge
    from .process import LoadTarget

    T = TypeVar("T")


def compile_bundle() -> None:
    """Write the bundle's own bytecode once for each Python, so that no start compiles it.

    A location may forbid bytecode (PYTHONDONTWRITEBYTECODE); its `import codeloc` would then
    compile the package at each start.
    """
    done = os.path.join(BUNDLE, f".compiled-{sys.implementation.cache_tag}")
    if os.path.exists(done):
        return
    for path in bundle_sources():
        SourceFileLoader(__name__, path).get_code(__name__)
    try:  # noqa: SIM105  contextlib would cost milliseconds
        os.close(os.open(done, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        pass  # a bundle that cannot be written to: slower, not broken


def bundle_sources() -> Iterator[str]:
    for folder, _, files in os.walk(BUNDLE):
        yield from (os.path.join(folder, file) for file in files if file.endswith(".py"))


NEEDED_FOR_PROBLEMS = (
    "_colorize",
    "ast",
    "codecs",
    "collections",
    "contextlib",
    "copyreg",
    "enum",
    "functools",
    "itertools",
    "keyword",
    "linecache",
    "operator",
    "re",
    "textwrap",
    "token",
    "tokenize",
    "traceback",
    "types",
    "unicodedata",
)
"""What `traceback` imports, over all versions of Python. It is left for when it is needed."""

STOP_SECONDS = 5.0
"""For the functions that user code registered with `atexit`."""


def run(location: str, text: str, path: List[str], known: AbstractSet[str]) -> None:
    """`path`: what follows the location's own in `sys.path`; `known`: the modules that were there
    before the runner.
    """
    settings = Settings(location, text)
    die_with(settings.parent)
    prepare_streams()
    print_stacks_at(settings.stacks_signal)
    live(settings, search_path(settings, path), known)


def live(
    settings: Settings, path: List[str], known: AbstractSet[str], divergence: Judge = no_divergence
) -> None:
    """As a runner, in a process that is bound and can print; does not return.

    `path`: what `sys.path` shall be, all of it; `divergence`: as for `load`.
    """
    hold_to_limits(settings.group, settings.nice, settings.open_files)
    close_in_forks()
    live_as_long_as(settings.life_fd)
    interval = CheckInterval()
    lock = None
    if settings.lock_path is not None:
        lock = ServingLock(settings.lock_path, settings.lock_fd)
    methods = Methods(lock)
    serve(Listener(settings.socket_fd, settings.socket_path, interval), methods)
    read = prepare_for_user_code(settings, path, known, lambda: read_fresh(settings.code))
    own_process = os.getpid()
    outcome = load(settings, read, known, divergence)
    if os.getpid() != own_process:
        return  # a child that user code forked and forgot: it ends like any script
    interval.relax()
    if settings.written is not None:  # what the load itself wrote is seen by the daemon
        note_suspects(settings.written, settings.suspects)
    methods.loaded(outcome)
    methods.wait_for_stop()
    leave()


def note_suspects(written: str, suspects: List[str]) -> None:
    from .load.sources import note_writes  # rarely

    note_writes(written, suspects)


def prepare_for_user_code(
    settings: LoadTarget, path: List[str], known: AbstractSet[str], reading: Callable[[], T]
) -> T:
    """The result of `reading`, which decides how sources are read from now on."""
    own = standard_library.entries_before(path)
    import_shadowed(own)
    standard_library.release_shadowed(known, own)
    read = reading()
    add_finder()
    prepare_children()
    arrange_interpreter(settings, path)
    return read


def import_shadowed(own: Sequence[str]) -> None:
    """Import now what would come from the location later, where its folders shadow it."""
    there = standard_library.names_in(own).intersection(NEEDED_FOR_PROBLEMS)
    if any(standard_library.is_shadowed(name, own) for name in there):
        from .load import problem as problem


def leave(status: int = 0) -> NoReturn:
    """End in order, but end: what hangs in an `atexit` function is given STOP_SECONDS."""
    start_new_thread(end_after, (STOP_SECONDS, status))
    try:  # noqa: SIM105  contextlib would cost milliseconds
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001, S110  user code's, and printed already
        pass
    flush_streams()
    _exit(status)


def end_after(seconds: float, status: int) -> None:
    sleep(seconds)
    _exit(status)
