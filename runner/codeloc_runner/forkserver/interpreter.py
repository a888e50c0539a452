"""The life of a warm interpreter: preload, say what came of it, take orders."""

from __future__ import annotations

import _socket
import gc
import os
import sys
from _socket import socket
from time import monotonic

from ..codeloc_finder import add_finder
from ..load.import_profile import VariableReads
from ..load.sources import is_source
from ..process import (
    ask_kernel_for_signal,
    die_with,
    empty_main,
    flush_streams,
    prepare_streams,
    print_stacks_at,
)
from ..wire.json_values import dumps, loads
from .cold_starts import reason_for_all
from .fork import answer, become_program, become_runner, begin_to_print, fork
from .fork_blockers import (
    ProcessState,
    RegisteredHooks,
    blockers_since,
    modules_of_users,
    own_packages,
)
from .preload import FailedLookups, Preloaded, preload, preload_carefully

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import AbstractSet, Any, Dict, List, Optional, Tuple

    from .fork import Life, Verdict


HEADER_BYTES = 8
DESCRIPTORS = 8
LOOKED_SECONDS = 0.1
"""How long a look at what was preloaded holds: between it and the order a record is written."""
INTEGER_BYTES = 4
"""What one descriptor takes in a control message: a C int."""


class Channel:
    """Its end of the socket to the daemon.

    An order is its length, eight bytes, with descriptors beside them; then so much JSON. A report
    is a line of JSON.
    """

    __slots__ = ("_socket",)

    def __init__(self, fd: int) -> None:
        self._socket = socket(fileno=fd)

    def receive(self) -> Optional[Tuple[Any, List[int]]]:
        """The next order, None once the daemon has closed its end, or was killed: that is an error
        (ECONNRESET) while a report waits to be read, and the end of an order in its middle.
        """
        try:
            return self._received()
        except (OSError, EOFError):
            return None

    def _received(self) -> Optional[Tuple[Any, List[int]]]:
        room = _socket.CMSG_SPACE(DESCRIPTORS * INTEGER_BYTES)
        header, control, _, _ = self._socket.recvmsg(HEADER_BYTES, room)
        if not header:
            return None
        header += self._exactly(HEADER_BYTES - len(header))
        text = self._exactly(int.from_bytes(header, "big"))
        return loads(text.decode()), descriptors_in(control)

    def send(self, report: Any) -> None:
        self._socket.sendall(dumps(report).encode() + b"\n")

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise EOFError("the daemon closed the connection within an order")
            data += piece
        return data


def descriptors_in(control: List[Tuple[int, int, bytes]]) -> List[int]:
    found = []
    for level, kind, data in control:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            whole = len(data) - len(data) % INTEGER_BYTES
            found += memoryview(data[:whole]).cast("i").tolist()
    return found


def run(text: str, path: List[str], known: AbstractSet[str]) -> None:
    """`path`: what a runner's `sys.path` starts from; `known`: as for `main.run`."""
    settings = loads(text)
    die_with(settings["parent"])
    os.set_inheritable(settings["channel_fd"], False)
    prepare_streams()
    print_stacks_at(settings.get("stacks_signal", 0))
    channel = Channel(settings["channel_fd"])
    preloaded = Preloaded(channel, path, known)
    received = channel.receive()
    if received is None:
        os._exit(0)
    channel.send(warmed(received[0], preloaded))
    while True:
        received = channel.receive()
        if received is None:
            os._exit(0)
        follow(*received, preloaded)


def warmed(order: Dict[str, Any], preloaded: Preloaded) -> Dict[str, Any]:
    """Preload; what the daemon is told of it."""
    os.environ.update(order.get("variables", {}))
    variables = dict(os.environ)
    arrange(preloaded.path)
    reads, hooks, missing = VariableReads(), RegisteredHooks(), FailedLookups()
    schedule("SCHED_BATCH")
    found = imported(order, preloaded, hooks)
    schedule("SCHED_OTHER")
    hooks.end()
    read = reads.end()
    preloaded.missing = missing.end()
    preloaded.read, preloaded.decisive = frozenset(read), tuple(order["decisive"])
    settle(preloaded, variables)
    return {
        "blockers": found,
        "cold": order["cold"],
        "variables": read,
        "hooks": {"at_exit": hooks.at_exit, "at_fork": hooks.at_fork},
    }


def schedule(policy: str) -> None:
    """Give way to what users wait for: they do not wait for this.

    Niceness would do more, but its children would have it, and only root can take it back.
    """
    if hasattr(os, "sched_setscheduler"):
        try:
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))
        except OSError:
            return  # a sandbox may forbid it


def arrange(path: List[str]) -> None:
    """As for a runner, but for what belongs to one location."""
    sys.path[:] = path
    sys.argv[:] = [""]
    empty_main()
    add_finder()


def imported(order: Dict[str, Any], preloaded: Preloaded, hooks: RegisteredHooks) -> List[str]:
    """Import what was ordered; what forbids that it is shared, and `order["cold"]` extended."""
    modules, cold, own = order["modules"], order["cold"], own_packages(preloaded.path)
    found = [
        f"the interpreter imports your own {one}"
        for one in modules_of_users(set(preloaded.known), own)
    ]
    if not order["sharing"]:
        preloaded.failed = preload(modules, own)
        return found
    before = ProcessState(hooks)
    if order["carefully"]:
        preloaded.failed = preload_carefully(modules, own, cold, hooks)
    else:
        preloaded.failed = preload(modules, {*own, *cold})
    found += [f"it imports {name}" for name in cold if name in sys.modules]
    return found + blockers_since(before, own)


def settle(preloaded: Preloaded, variables: Dict[str, str]) -> None:
    """What is here now stays: the collector must not touch, and so copy, shared memory."""
    preloaded.added = {name: os.environ[name] for name in os.environ if name not in variables}
    preloaded.adopt_path()
    preloaded.adopt_modules()
    # one that is imported from within the other way round fails at first, and is there in the end
    preloaded.failed = [name for name in preloaded.failed if name not in preloaded.modules]
    forget_listings()
    compile("", "", "exec")  # the first makes the compiler's types, which takes a millisecond
    flush_streams()
    gc.collect()
    gc.freeze()


def forget_listings() -> None:
    """Of folders with sources: two saves within one tick of the file system's clock would leave
    a listing that is stale seem valid.
    """
    for folder in list(sys.path_importer_cache):
        if is_source(folder + os.sep):
            del sys.path_importer_cache[folder]


def life_of(order: Dict[str, Any], preloaded: Preloaded) -> Life:
    """What the process that is ordered does."""
    if "run" in order or "waits" in order:
        from ..run.forked import become_attempt, import_ahead  # once there are runs

        import_ahead(preloaded)
        return become_attempt if "run" in order else wait_ahead
    return become_program if "module" in order else become_runner


def wait_ahead(
    order: Dict[str, Any], descriptors: List[int], preloaded: Preloaded, verdict: Verdict
) -> None:
    """Live as a fork that becomes what is ordered on a channel of its own. It ends where that is
    closed before, or where it has to refuse."""
    channel, own = descriptors[0], descriptors[1:]
    old = verdict()
    looked: Optional[float] = monotonic()
    if old is not None:
        answer(own[-1], {"refused": old, "stale": True})
        return
    begin_to_print(own, preloaded)
    preloaded.channel = Channel(channel)
    if order["rehearses"]:
        from ..run.forked import rehearse

        rehearse(preloaded)
        reason_for_all(preloaded)
        looked = None  # that was long before the order
    while True:
        received = preloaded.channel.receive()
        if received is None:
            return
        if "look" not in received[0]:
            break
        old, looked = reason_for_all(preloaded), monotonic()
    is_known = looked is not None and monotonic() - looked < LOOKED_SECONDS
    follow(*received, preloaded, lambda: old if is_known else reason_for_all(preloaded))


def follow(
    order: Dict[str, Any],
    descriptors: List[int],
    preloaded: Preloaded,
    verdict: Optional[Verdict] = None,
) -> None:
    """Start the runner or the program that is ordered, as a fork or by becoming it. `verdict`: of a
    look that was taken for this order already."""
    life = life_of(order, preloaded)
    if order["order"] == "become":
        if not order.get("bound", True):
            ask_kernel_for_signal(0)
        life(order, descriptors, preloaded, verdict or (lambda: reason_for_all(preloaded)))
    else:
        fork(order, descriptors, preloaded, life)
    for descriptor in descriptors:
        os.close(descriptor)
