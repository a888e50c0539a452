"""Turns a warm process, forked or not, into a runner or a program, as if just started."""

from __future__ import annotations

import os
import sys
from _thread import get_native_id
from time import monotonic, sleep

from .. import main
from ..codeloc_finder import begins_with_codeloc, remove_finder
from ..load.sources import read_fresh
from ..process import Settings, die_with, hold_to_limits, search_path
from ..wire.json_values import dumps, loads
from .cold_starts import divergence, reason_for_all, reason_for_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional

    from .preload import Preloaded

    Verdict = Callable[[], Optional[str]]
    """Says what of the preloaded is outdated, if anything is."""
    Life = Callable[[Dict[str, Any], List[int], Preloaded, Verdict], None]


def accepted(
    directory: str, path: List[str], own: List[int], preloaded: Preloaded, verdict: Verdict
) -> bool:
    """Whether a process with that `sys.path` can begin here; then it is in its working directory.

    `own`: its standard output and error, and the socket for the answer.
    """
    telling = own[-1]
    why = reason_for_one(directory, path, preloaded)
    old = verdict()
    if why is not None or old is not None:
        answer(telling, {"refused": old or why, "stale": old is not None})
        return False
    begin_to_print(own, preloaded)
    return True


def begin_to_print(own: List[int], preloaded: Preloaded) -> None:
    """As a process of its own, which the daemon is told of; `own`: of `accepted`."""
    out, err, telling = own
    answer(telling, {"pid": os.getpid()})
    preloaded.channel.close()
    for source, target in ((out, 1), (err, 2)):
        os.dup2(source, target)
    for descriptor in own:
        os.close(descriptor)


def answer(descriptor: int, said: Mapping[str, Any]) -> None:
    os.write(descriptor, dumps(said).encode())


def arrange_process(
    arguments: List[str], variables: Mapping[str, str], added: Mapping[str, str], since: int = 2
) -> None:
    """Arguments and variables as a fresh start has them.

    `added`: variables that imports have set, as they would have set them here.

    `arguments` stand in the command line from number `since` on.
    """
    set_variables({**added, **variables})
    bear_mark(variables)
    original: List[str] = getattr(sys, "orig_argv", [])
    original[since:] = arguments
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.getcwd()


def set_variables(wanted: Dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


MARK = "CODELOCD_CHILD"
ENV_START = 50
"""The field of /proc/PID/stat that says where the variables begin (proc(5))."""


def bear_mark(variables: Mapping[str, str]) -> None:
    """Have /proc/PID/environ show this process's own mark, and that of each fork of it.

    The kernel shows there what the process that this one was forked from was started with. By its
    mark the daemon finds what user code forked to outlive the runner.
    """
    mark = variables.get(MARK, "").encode()
    try:
        with open("/proc/self/environ", "rb") as file:
            place = (b"\0" + file.read()).find(f"\0{MARK}=".encode())
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        if mark and place >= 0:
            with open("/proc/self/mem", "r+b", buffering=0) as memory:
                memory.seek(int(fields[ENV_START - 3]) + place + len(MARK) + 1)
                memory.write(mark)  # as long as what stood there: all marks of one daemon are
    except OSError:
        return  # no Linux, or one that forbids it


def part_from_siblings() -> None:
    """What forks of one process must not share. `random` sees to itself; these do not."""
    random: Any = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.current_process().authkey = os.urandom(32)
    threading: Any = sys.modules.get("threading")
    if threading is not None:  # Python 3.8 and 3.9 keep the parent's
        threading.main_thread()._native_id = get_native_id()


def become_runner(
    order: Dict[str, Any], descriptors: List[int], preloaded: Preloaded, verdict: Verdict
) -> None:
    """Live as the runner that was ordered; returns only where it has to refuse."""
    listening, own = descriptors[0], descriptors[-3:]
    settings = Settings(order["location"], order["settings"])
    settings.socket_fd = listening
    if settings.lock_fd is not None:
        settings.lock_fd = descriptors[1]
    path = search_path(settings, preloaded.path)
    if not accepted(settings.working_directory, path, own, preloaded, verdict):
        return
    arrange_process([order["location"], order["settings"]], order["variables"], preloaded.added)
    main.live(
        settings,
        [*preloaded.first, *path],
        preloaded.modules,
        lambda changed, good: divergence(changed, good, preloaded),
    )


def become_program(
    order: Dict[str, Any], descriptors: List[int], preloaded: Preloaded, verdict: Verdict
) -> None:
    """Live as a module of the environment, as `python -m MODULE ARGUMENTS` runs it.

    Returns only where it has to refuse.
    Descriptors before the last three are the program's to hold, and to do nothing with.
    """
    directory, module, arguments = order["directory"], order["module"], order["arguments"]
    path = [directory, *preloaded.path]
    if not accepted(directory, path, descriptors[-3:], preloaded, verdict):
        return
    hold_to_limits(**order["limits"])
    arrange_process(["-m", module, *arguments], order["variables"], preloaded.added, since=1)
    if not begins_with_codeloc():
        remove_finder()
    read_fresh()
    sys.path[:] = [*preloaded.first, *path]
    sys.argv[:] = [module, *arguments]
    end_program(status_of(module))


def status_of(module: str) -> int:
    """Run it to its end; its exit status."""
    from runpy import run_module  # not before: a runner has no use for it

    try:
        run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as left:
        return exit_status(left.code)
    except BaseException as error:  # noqa: BLE001  shown as the interpreter shows it
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def exit_status(code: Any) -> int:
    """The exit status that `sys.exit(code)` means."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def end_program(status: int) -> None:
    """As the interpreter ends, its threads first; but what is shared is left as it is."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    main.leave(status)


ADOPTION_SECONDS = 10.0
PAUSE_SECONDS = 0.0001


def fork(order: Dict[str, Any], descriptors: List[int], preloaded: Preloaded, life: Life) -> None:
    """Start a process that outlives this one: a grandchild, which the daemon adopts.

    `life` is what the new process does; it returns only where it has to refuse.

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
            live_adopted(order, descriptors, preloaded, life, lambda: verdict_from(hearing))
        outdated = None if order.get("rehearses") else reason_for_all(preloaded)
        answer(telling, {"outdated": outdated})
        os.waitpid(child, 0)
    os.close(hearing)
    os.close(telling)


def live_adopted(
    order: Dict[str, Any],
    descriptors: List[int],
    preloaded: Preloaded,
    life: Life,
    verdict: Verdict,
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
        if order.get("bound", True):
            die_with(order["parent"])
        part_from_siblings()
        life(order, descriptors, preloaded, verdict)
    finally:
        os._exit(1)


def refuse(telling: int, error: OSError) -> None:
    answer(telling, {"refused": f"it cannot fork: {error}", "stale": False})


def verdict_from(hearing: int) -> Optional[str]:
    """The verdict of the process that forked. Raises ValueError when it ended without a word."""
    said: Optional[str] = loads(os.read(hearing, 65536).decode())["outdated"]
    os.close(hearing)
    return said


def await_adoption(daemon: int) -> None:
    """Only a process whose parent is the daemon can ask to die with it, or be waited for by it."""
    end = monotonic() + ADOPTION_SECONDS
    while os.getppid() != daemon and monotonic() < end:
        sleep(PAUSE_SECONDS)
