"""Prepares the runner's process as the daemon asks, and as user code expects it."""

from __future__ import annotations

import faulthandler
import os
import sys
from _thread import start_new_thread
from os import write
from select import poll
from time import sleep

from .wire.json_values import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Mapping, Optional, Sequence


class LoadTarget:
    """The code of a location, as it is loaded; every path absolute."""

    __slots__ = ("attribute", "kind", "location", "value", "working_directory")

    def __init__(self, location: str, given: Mapping[str, Any]) -> None:
        self.location = location
        self.kind: str = given["target"]["kind"]
        self.value: str = given["target"]["value"]
        self.attribute: Optional[str] = given.get("attribute")
        self.working_directory: str = given["working_directory"]


class Settings(LoadTarget):
    """One location as its runner sees it."""

    __slots__ = (
        "code",
        "group",
        "life_fd",
        "lock_fd",
        "lock_path",
        "nice",
        "open_files",
        "parent",
        "socket_fd",
        "socket_path",
        "stacks_signal",
        "suspects",
        "written",
    )

    def __init__(self, location: str, text: str) -> None:
        """Read the daemon's JSON. Raises KeyError or ValueError: never a user's mistake."""
        given = loads(text)
        super().__init__(location, given)
        self.socket_fd: int = given["socket_fd"]
        self.socket_path: str = given["socket_path"]
        self.parent: Optional[int] = given.get("parent")
        self.group: Optional[str] = given.get("group")
        self.nice: Optional[int] = given.get("nice")
        self.open_files: Optional[int] = given.get("open_files")
        self.life_fd: Optional[int] = given.get("life_fd")
        self.lock_fd: Optional[int] = given.get("lock_fd")
        self.lock_path: Optional[str] = given.get("lock_path")
        self.stacks_signal: int = given.get("stacks_signal", 0)
        self.written: Optional[str] = given.get("written")
        self.suspects: List[str] = given.get("suspects", [])
        self.code: Optional[str] = given.get("code")


PR_SET_PDEATHSIG = 1
SIGKILL = 9  # the same everywhere; the `signal` module costs a millisecond
WATCH_SECONDS = 1.0


def die_with(parent: Optional[int]) -> None:
    """Die when `parent` does, at once if it is gone already; None: bound to no process."""
    if parent is None:
        return
    if not ask_kernel_for_signal():
        start_new_thread(watch_parent, (parent,))
    if os.getppid() != parent:
        os._exit(1)


def ask_kernel_for_signal(number: int = SIGKILL) -> bool:
    """PR_SET_PDEATHSIG where the platform has it: no thread, no wake-ups; 0 for none any more.

    `_ctypes` alone: the `ctypes` package around it would triple the cost of the call.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        from _ctypes import call_function, dlopen, dlsym

        prctl = dlsym(dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: this process
        failed: int = call_function(prctl, (PR_SET_PDEATHSIG, number, 0, 0, 0))
        return not failed
    except (ImportError, OSError):
        return False


def live_as_long_as(descriptor: Optional[int]) -> None:
    """End, with the whole group, when no process has the other end of that pipe any more: then no
    daemon can take over this process. One that is read from stays open, whatever user code closes.
    """
    if descriptor is not None:
        os.set_inheritable(descriptor, False)
        start_new_thread(watch_life, (descriptor,))


def watch_life(descriptor: int) -> None:
    waiting = poll()
    waiting.register(descriptor, 0)  # its end is told whatever is asked for
    waiting.poll()
    os.killpg(0, SIGKILL)


def watch_parent(parent: int) -> None:
    """For platforms whose kernel has no such signal, macOS among them."""
    while os.getppid() == parent:
        sleep(WATCH_SECONDS)
    os._exit(1)


def prepare_streams() -> None:
    """Output as the daemon reads it, UTF-8 line by line; a crash in C code leaves its stack.

    Never fail on a character, never keep a line back.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    if sys.stderr is not None and not faulthandler.is_enabled():
        faulthandler.enable()


def hold_to_limits(group: Optional[str], nice: Optional[int], open_files: Optional[int]) -> None:
    """Before any code of the location's; what this system refuses is said and left.

    Files: the soft limit alone, which the daemon may raise again.
    """
    if group is not None:
        try:
            with open(os.path.join(group, "cgroup.procs"), "w") as members:
                members.write("0")  # who writes it
        except OSError as error:
            if not comes_into(group):
                print(f"the control group is refused: {error}", file=sys.stderr)
    if nice is not None:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, nice)
        except OSError as error:
            print(f"nice = {nice} is refused: {error.strerror}", file=sys.stderr)
    if open_files is not None:
        from resource import RLIMIT_NOFILE, getrlimit, setrlimit  # where asked for: a millisecond

        try:
            setrlimit(RLIMIT_NOFILE, (open_files, getrlimit(RLIMIT_NOFILE)[1]))
        except (OSError, ValueError) as error:
            print(f"open_files = {open_files} is refused: {error}", file=sys.stderr)


GROUP_SECONDS = 5.0
PAUSE_SECONDS = 0.001


def comes_into(group: str) -> bool:
    """Whether the daemon puts this process there soon, as it does with processes of other users."""
    if os.getuid() == 0:
        return False
    name = "/" + os.path.basename(group)
    for _ in range(int(GROUP_SECONDS / PAUSE_SECONDS)):
        with open("/proc/self/cgroup") as file:
            if file.read().rstrip().endswith(name):
                return True
        sleep(PAUSE_SECONDS)
    return False


def print_stacks_at(number: int) -> None:
    """Have this signal print the stacks of all threads to standard error; 0: none does.

    The fault handler prints within the signal's own handler: also while code in C holds the
    interpreter's lock.
    """
    if number and sys.stderr is not None:
        try:
            faulthandler.register(number, all_threads=True)
        except (OSError, RuntimeError, ValueError):
            return  # a standard error that is no file: there is nowhere to print to


def say(text: str) -> None:
    """A line of ours where errors go, also where user code has replaced or closed `sys.stderr`, or
    closed descriptor 2: what it has done there is no failure of ours."""
    line = f"{text}\n"
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001  whatever a stream of the user's raises
        try:  # noqa: SIM105  contextlib would cost milliseconds
            write(2, line.encode("utf-8", "backslashreplace"))
        except OSError:
            pass


def flush_streams() -> None:
    """What user code may have put in their place is its own business, failures included."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: BLE001, S112  the process is about to end anyway
            continue


def search_path(settings: LoadTarget, path: Sequence[str]) -> List[str]:
    """The working directory first, as Dagster has it; then, for a file, its folder.

    `python FILE` knows the folder alone. With both, siblings of the file are found as well as
    what lies in the working directory, which wins; for most locations they are the same.
    """
    first = [settings.working_directory]
    if settings.kind == "python_file":
        first.append(os.path.dirname(settings.value))
    return [*dict.fromkeys(first), *path]


def program_arguments(settings: LoadTarget) -> List[str]:
    """For a module "-m", which is what Python itself has there until it has found the module."""
    return [settings.value if settings.kind == "python_file" else "-m"]


def arrange_interpreter(settings: LoadTarget, path: Sequence[str]) -> None:
    sys.path[:] = path
    sys.argv[:] = program_arguments(settings)
    empty_main()


def empty_main() -> None:
    """`__main__` becomes an empty module: with the runner's there, a `multiprocessing` child
    would run the runner once more. Once: packages that were preloaded may hold the module.
    """
    if hasattr(sys.modules["__main__"], "__file__"):
        sys.modules["__main__"] = type(sys)("__main__")
