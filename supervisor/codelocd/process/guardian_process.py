"""The guardian's process, which finds processes by a variable that they inherited. It has few
imports.

Linux only: elsewhere a process may not read the environment of another one, and nothing is found.
`guardian` starts it; a daemon finds in the same way what its children have left behind.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from codelocd.process.identity import GONE, began, state

Identity = tuple[int, int]
"""A process, and no other that gets its number later: its pid, and when it began."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


VARIABLE = "CODELOCD_CHILD"
"""Names the child that a process descends from; a descendant that drops it is not found."""

PASSES = 20
"""The number of searches in a row, as long as each finds a process: one may have forked as it was
being killed."""

SIGKILL = 9
"""Defined here, not imported from `signal`: the number is the same on every system."""


def end_all(chosen: Callable[[str], bool], family: Collection[Identity] = ()) -> None:
    """Kill every process whose mark is chosen, the `family`, and what descends from that. Blocks
    for some milliseconds."""
    for pid, _ in _with_descendants(family):
        try:
            os.kill(pid, SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    for _ in range(PASSES):
        found = [pid for pid, mark in marks() if chosen(mark)]
        for pid in found:
            try:
                os.kill(pid, SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if not found:
            return


def descendants(pid: int) -> Iterator[Identity]:
    """Of a process that lives; nothing where /proc does not say (Linux does). A fraction of a
    millisecond."""
    for task in _listed(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                children = [int(each) for each in file.read().split()]
        except OSError:
            continue
        for child in children:
            if (since := began(child)) is not None:
                yield child, since
                yield from descendants(child)


def _with_descendants(family: Collection[Identity]) -> list[Identity]:
    """The processes of `family` that have not ended since they were found, and their
    descendants."""
    left = [each for each in family if state(*each) != GONE]
    return left + [each for pid, _ in left for each in descendants(pid)]


def end_strays(parent: int, known: Collection[int]) -> None:
    """Kill those children of `parent` that lead or are in a session of their own, and all that
    descends from them; not the `known` ones. Blocks for some milliseconds."""
    session = os.getsid(parent)
    for _ in range(PASSES):
        ended = 0
        family = _children_by_parent()
        strays = [p for p, sid in family.get(parent, ()) if p not in known and sid != session]
        for stray in strays:
            strays += [pid for pid, _ in family.get(stray, ())]  # those of one found just now too
            try:
                os.kill(stray, SIGKILL)
                ended += 1
            except (ProcessLookupError, PermissionError):
                continue
        if not ended:
            return


def _children_by_parent() -> dict[int, list[tuple[int, int]]]:
    """The pid and the session of each process that has not ended, by its parent."""
    found: dict[int, list[tuple[int, int]]] = {}
    for name in filter(str.isdigit, _listed("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                letter, parent, _, session, *_ = file.read().rpartition(b")")[2].split()
        except (OSError, ValueError):
            continue
        if letter not in b"ZX":
            found.setdefault(int(parent), []).append((int(name), int(session)))
    return found


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def marks() -> Iterator[tuple[int, str]]:
    """Processes that began with a mark; none of those that are ending.

    Every process of the machine is looked at when a child ends: one function, no buffers, and bytes
    are searched, not split.
    """
    for name in filter(str.isdigit, _listed("/proc")):
        try:
            file = os.open(f"/proc/{name}/environ", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        variables = b"\0"
        try:
            while piece := os.read(file, _PIECE):
                variables += piece
        except OSError:
            continue
        finally:
            os.close(file)
        for rest in variables.split(_MARKED)[1:]:
            yield int(name), os.fsdecode(rest.partition(b"\0")[0])


_MARKED = f"\0{VARIABLE}=".encode()
_PIECE = 64 * 1024


def main(family: str) -> None:
    """`family`: what the marks of the daemon's children begin with; "" where they have none."""
    outlive_signals()
    groups, order = _left()
    end_groups(groups)
    if family:
        end_all(lambda mark: mark.startswith(family))
    if order:
        carry_out(order)


ORDER_SECONDS = 60.0
"""For the command of an order: a second or two where it has to import much."""


def carry_out(order: bytes) -> None:
    """What a process that was killed has left to be done. The file has a `command`, which can be
    null, with its `variables` and `directory`, and the `folder` that is removed in the end."""
    import json  # where there is something to be done
    import shutil
    import subprocess

    try:
        with open(order, "rb") as file:
            told = json.load(file)
        if told["command"] is not None:
            process = subprocess.Popen(
                told["command"],
                env=told["variables"],
                cwd=told["directory"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                process.wait(ORDER_SECONDS)
            except subprocess.TimeoutExpired:
                end_groups({process.pid})
        shutil.rmtree(told["folder"], ignore_errors=True)
    except (OSError, ValueError, KeyError):
        return


def outlive_signals() -> None:
    """Ignore the signals that a terminal sends to all its processes, and those that would stop this
    process.

    Until here, in the first milliseconds of its life, it outlives neither.
    """
    _go_on_at_its_end()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


PR_SET_PDEATHSIG = 1


def _go_on_at_its_end() -> None:
    """Ask the kernel for SIGCONT at the daemon's end, in case this process is stopped then
    (Linux)."""
    try:
        from _ctypes import call_function, dlopen, dlsym

        prctl = dlsym(dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None: this process
        call_function(prctl, (PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0))
    except (ImportError, OSError):
        return


class ShortPath:
    """A path of any length as one that a socket's address can hold."""

    def __init__(self, path: str) -> None:
        self._folder, self._name = os.path.split(path)

    def __enter__(self) -> tuple[str, str]:
        self._descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        return f"/proc/self/fd/{self._descriptor}", self._name

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def answer(descriptor: int) -> None:
    """Give the daemon, which asks now and then, a sign of life."""
    with suppress(OSError):  # it has ended meanwhile
        os.write(descriptor, b".")


def _left() -> tuple[set[int], bytes]:
    """The groups that were not released when the daemon ended, and the order for then, if any."""
    groups: set[int] = set()
    rest = order = b""
    while chunk := _told():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line == b"?":
                answer(0)
                continue
            if line[:1] == b"w":
                order = line[1:]
                continue
            change = groups.add if line[:1] == b"+" else groups.discard
            change(int(line[1:]))
    return groups, order


def _told() -> bytes:
    """What the daemon says; nothing at its end, which is an error (ECONNRESET) if it was killed
    before it read the last answer."""
    try:
        return os.read(0, 65536)
    except OSError:
        return b""


def end_groups(groups: set[int]) -> None:
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
