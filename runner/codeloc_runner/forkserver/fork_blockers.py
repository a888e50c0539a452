"""Finds what imports leave behind that makes a fork unsafe: files, threads, hooks."""

from __future__ import annotations

import atexit
import os
import sys
from _thread import get_native_id
from signal import NSIG, SIG_BLOCK, getsignal, pthread_sigmask

from ..load.sources import is_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Sequence, Set


ORIGIN = "direct_url.json"
"""Where an installer notes that a package came from a local folder (PEP 610)."""
FINDER = "__editable__"
"""How setuptools begins the names of what makes an editable install importable: that is its own
code, which every interpreter of the environment imports as it starts."""


def own_packages(path: Sequence[str]) -> Set[str]:
    """Top-level names of installed packages that are the user's own, not taken from an index.

    They are editable installs and path dependencies, copied or not.
    """
    return {
        name
        for folder in path
        for info in local_packages(folder)
        for name in top_levels(folder, info)
    }


def local_packages(folder: str) -> Iterator[str]:
    """The `.dist-info` folders of packages that came from this machine."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.endswith(".dist-info") and '"file:' in text_of(os.path.join(folder, name, ORIGIN)):
            yield name


def top_levels(folder: str, info: str) -> Iterator[str]:
    for line in text_of(os.path.join(folder, info, "RECORD")).splitlines():
        first = line.partition(",")[0].partition("/")[0]
        if first not in (info, "..") and not first.startswith(FINDER):
            yield first.partition(".")[0]


def text_of(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""


REMOVERS = frozenset({"removedirs", "rmdir", "rmtree", "unlink"})
"""What ends a file or folder, as `os`, `shutil` and `pathlib` call it."""


class RegisteredHooks:
    """Functions that imports register for the end of the process, and for its forks.

    Who registered how many, while it listens; neither can be listed afterwards.

    A runner inherits both kinds. What runs at the end of a process does so at each runner's, as
    after a cold start, and never at a fork server's, which leaves by `os._exit`; what runs at a
    fork was made for one. But what removes files at the end would remove its siblings', too.
    """

    __slots__ = ("_at_exit", "_at_fork", "at_exit", "at_fork", "removing")

    def __init__(self) -> None:
        self.at_exit: Dict[str, int] = {}
        self.at_fork: Dict[str, int] = {}
        self.removing: List[str] = []
        self._at_exit: Any = atexit.register
        self._at_fork: Any = os.register_at_fork
        replace_registrars(self._exit_registered, self._fork_registered)

    def end(self) -> None:
        replace_registrars(self._at_exit, self._at_fork)

    def removals(self) -> List[str]:
        """Who removes files when the process ends; `weakref.finalize` registers but once itself."""
        return self.removing + list(finalizers())

    def _exit_registered(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        registered = self._at_exit(function, *args, **kwargs)
        who = count_hook(self.at_exit)
        if removes(function):
            self.removing.append(who)
        return registered

    def _fork_registered(self, **functions: Any) -> None:
        self._at_fork(**functions)
        count_hook(self.at_fork)


def replace_registrars(at_exit: Any, at_fork: Any) -> None:
    registry: Any = atexit
    registry.register = at_exit
    system: Any = os
    system.register_at_fork = at_fork


def count_hook(hooks: Dict[str, int]) -> str:
    """One more of the module that called the one that calls this."""
    frame = sys._getframe(2)
    who = str(frame.f_globals.get("__name__") or frame.f_code.co_filename)
    hooks[who] = hooks.get(who, 0) + 1
    return who


def finalizers() -> Iterator[str]:
    finalize: Any = getattr(sys.modules.get("weakref"), "finalize", None)
    for info in list(getattr(finalize, "_registry", {}).values()):
        if info.atexit and removes(info.func):
            yield str(getattr(info.func, "__module__", "weakref"))


def removes(function: Any) -> bool:
    """As far as its name and its own code show."""
    function = getattr(function, "func", function)
    return function is os.remove or not REMOVERS.isdisjoint(names_used(function))


def names_used(function: Any) -> Set[str]:
    """Its own, and those that its code mentions."""
    code = getattr(function, "__code__", None)
    own = str(getattr(function, "__name__", type(function).__name__)).lstrip("_")
    return {own, *(name.lstrip("_") for name in getattr(code, "co_names", ()))}


DESCRIPTORS = "/proc/self/fd"
THREADS = "/proc/self/task"
SAFE = frozenset({"jemalloc_bg_thd"})
"""Threads that their library starts again in a child: jemalloc's, which pyarrow brings
(`background_thread_postfork_child` in its background_thread.c)."""
HARMLESS = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


class ProcessState:
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

    def __init__(self, hooks: RegisteredHooks) -> None:
        self.hooks = hooks
        self.removals = hooks.removals()
        self.descriptors = open_files()
        self.directory = os.getcwd()
        self.variables = dict(os.environ)
        self.handlers = {number: getsignal(number) for number in range(1, NSIG)}
        self.mask = pthread_sigmask(SIG_BLOCK, ())
        self.modules = set(sys.modules)
        self.umask = mask_of_new_files()


def blockers_since(before: ProcessState, own: Set[str]) -> List[str]:
    """What has happened since that forbids a fork; `own`: packages that are the user's."""
    now = ProcessState(before.hooks)
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
        f"it imports your own {name}"
        for name in modules_of_users(now.modules - before.modules, own)
    ]


def open_files() -> Dict[int, str]:
    found = {}
    for name in os.listdir(DESCRIPTORS):
        try:
            found[int(name)] = os.readlink(f"{DESCRIPTORS}/{name}")
        except OSError:
            continue  # the listing's own
    return found


def is_new(fd: int, what: str, before: ProcessState) -> bool:
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
    return sum(thread_name(thread) not in SAFE for thread in os.listdir(THREADS) if thread != own)


def thread_name(thread: str) -> str:
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


def modules_of_users(names: Set[str], own: Set[str]) -> List[str]:
    """Modules of the user's sources among `names`, whatever imported them."""
    return sorted(
        name for name in names if name.partition(".")[0] in own or is_module_of_users(name)
    )


def is_module_of_users(name: str) -> bool:
    module: Any = sys.modules.get(name)
    file = getattr(getattr(module, "__spec__", None), "origin", None)
    return isinstance(file, str) and os.path.isabs(file) and is_source(file)
