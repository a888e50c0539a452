"""What imports leave behind in a process that a fork cannot share."""

from __future__ import annotations

import os
import sys
from _thread import get_native_id
from signal import NSIG, SIG_BLOCK, getsignal, pthread_sigmask

from ..sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Set

    from .hooks import Hooks

DESCRIPTORS = "/proc/self/fd"
THREADS = "/proc/self/task"
SAFE = frozenset({"jemalloc_bg_thd"})
"""Threads that their library starts again in a child: jemalloc's, which pyarrow brings
(`background_thread_postfork_child` in its background_thread.c)."""
HARMLESS = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class Traces:
    """The process at one moment; Linux, for only there is it forked."""

    __slots__ = (
        "descriptors",
        "directory",
        "handlers",
        "hooks",
        "mask",
        "modules",
        "removals",
        "umask",
        "variables",
    )

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks
        self.removals = hooks.removals()
        self.descriptors = open_files()
        self.directory = os.getcwd()
        self.variables = dict(os.environ)
        self.handlers = {number: getsignal(number) for number in range(1, NSIG)}
        self.mask = pthread_sigmask(SIG_BLOCK, ())
        self.modules = set(sys.modules)
        self.umask = mask_of_new_files()


def offences(before: Traces, own: Set[str]) -> List[str]:
    """What has happened since that forbids a fork; `own`: packages that are the user's."""
    now = Traces(before.hooks)
    found = [
        f"it opened {what}" for fd, what in now.descriptors.items() if is_new(fd, what, before)
    ]
    threads = others_left()
    if threads:
        found.append(f"it started {threads} thread{'s' if threads > 1 else ''}")
    if has_children():
        found.append("it started a process")
    if now.directory != before.directory:
        found.append(f"it changed the working directory to {now.directory}")
    if now.umask != before.umask:
        found.append(f"it changed the umask to {now.umask:#o}")
    changed = [name for name, value in before.variables.items() if is_changed(name, value)]
    found += [f"it changed the variable {name}" for name in changed]
    numbers = [one for one in now.handlers if now.handlers[one] is not before.handlers[one]]
    found += [f"it handles signal {number}" for number in numbers]
    if now.mask != before.mask:
        found.append("it blocks signals")
    if len(now.removals) > len(before.removals):
        found.append("it removes files when the process ends")
    return found + [
        f"it imports your own {name}" for name in users(now.modules - before.modules, own)
    ]


def open_files() -> Dict[int, str]:
    found = {}
    for name in os.listdir(DESCRIPTORS):
        try:
            found[int(name)] = os.readlink(f"{DESCRIPTORS}/{name}")
        except OSError:
            continue  # the listing's own
    return found


def is_new(fd: int, what: str, before: Traces) -> bool:
    return before.descriptors.get(fd) != what and what not in HARMLESS


def is_changed(name: str, value: str) -> bool:
    return os.environ.get(name) != value


def others_left() -> int:
    """How many threads there are besides this one, once a fork has been tried.

    A library that can be forked ends its threads before a fork and starts them again when it
    needs them: OpenBLAS, which numpy brings, does (`pthread_atfork` in its blas_server.c).
    """
    if others():
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
    return others()


def others() -> int:
    own = str(get_native_id())
    return sum(name_of(thread) not in SAFE for thread in os.listdir(THREADS) if thread != own)


def name_of(thread: str) -> str:
    try:
        with open(f"{THREADS}/{thread}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""  # it has just ended


def has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def mask_of_new_files() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def users(names: Set[str], own: Set[str]) -> List[str]:
    """Modules of the user's sources among `names`, whatever imported them."""
    return sorted(name for name in names if name.partition(".")[0] in own or is_users(name))


def is_users(name: str) -> bool:
    module: Any = sys.modules.get(name)
    file = getattr(getattr(module, "__spec__", None), "origin", None)
    return isinstance(file, str) and os.path.isabs(file) and is_source(file)
