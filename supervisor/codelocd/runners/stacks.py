"""Finds where the threads of a process are: it is asked, made to print by a signal, or seen in
/proc.

A process that was started from the bundle prints the stacks of all its threads to its standard
error when it gets `NUMBER`: Python's fault handler does so in the signal's own handler, whatever
holds the interpreter's lock (https://docs.python.org/3/library/faulthandler.html).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codelocd.core import shapes
from codelocd.core.logged_output import LoggedOutput
from codelocd.core.problems import FRAME, THREAD
from codelocd.model import Output, Stream
from codelocd.rpc.errors import RpcError
from codelocd.runners.api import RunnerHandle

if TYPE_CHECKING:
    from codelocd.documents.answers import ProcessStacks, ThreadStack

NUMBER: int = signal.SIGRTMAX - 1 if sys.platform == "linux" else getattr(signal, "SIGINFO", 0)
"""A signal that other programs do not use; 0 where there is none. On macOS it is SIGINFO, which is
ignored by default."""

ANSWER = 1.0
"""Seconds for a runner to tell its stacks itself."""

PATIENCE = 2.0
"""Seconds for the signal to bring them: its handler runs at once, or at the next turn of a busy
machine."""

CALM = 0.2
"""Seconds without another line after which they are complete: nothing marks their end, and they
are printed in many pieces."""

PAUSE = 0.02
"""Seconds between two looks at what has come."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """Of one process, as its method `stacks` has them: `{"name", "stack"}` of each thread, the
    outermost frame first. `note`: what else is known, or why there are none; one line, or "".
    """

    threads: tuple[ThreadStack, ...]
    note: str = ""

    def as_json(self, pid: int) -> ProcessStacks:
        return {"pid": pid, "threads": list(self.threads), "note": self.note}


async def of_runner(handle: RunnerHandle, output: Output, *, ask: bool) -> Stacks:
    """All threads of a runner that prints to `output`. Without `ask` it is known not to answer."""
    if ask:
        with contextlib.suppress(RpcError, shapes.WrongShape):
            return Stacks(shapes.stacks(await handle.call("stacks", timeout=ANSWER)))
    if isinstance(output, ObservedOutput):
        return await output.stacks(handle.pid, handle if handle.node else None)
    return Stacks((), "" if handle.node else kernel(handle.pid))


class ObservedOutput:
    """What a process prints, passed on to `output`, and heard by those who asked it for stacks."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.logged: LoggedOutput | None = getattr(output, "logged", None)
        self._listeners: list[bytearray] = []

    def __call__(self, stream: Stream, data: bytes) -> None:
        if stream == "stderr":
            for heard in self._listeners:
                heard += data
        self._output(stream, data)

    async def stacks(self, pid: int, remote: RunnerHandle | None = None) -> Stacks:
        """Of the process `pid`, which prints here, by the signal; within PATIENCE. `remote`: the
        runner, where the process is not on this machine."""
        why = "" if remote else _deaf(pid)
        if why:
            return Stacks((), why)
        heard = bytearray()
        self._listeners.append(heard)
        try:
            if remote is not None:
                remote.signal(NUMBER)
            else:
                os.kill(pid, NUMBER)
            await self._complete(heard)
        except OSError as error:
            return Stacks((), f"the process could not be asked: {error.strerror}")
        finally:
            self._listeners.remove(heard)
        threads = tuple(parsed(heard.decode(errors="replace")))
        return Stacks(threads, "" if threads else f"it printed no stacks; {_seen(pid, remote)}")

    async def _complete(self, heard: bytearray) -> None:
        loop = asyncio.get_running_loop()
        end, length, grew = loop.time() + PATIENCE, 0, loop.time()
        while loop.time() < end and (not heard or loop.time() < grew + CALM):
            await asyncio.sleep(PAUSE)
            if len(heard) > length:
                length, grew = len(heard), loop.time()


def parsed(text: str) -> Iterator[ThreadStack]:
    """The threads in what the fault handler prints, the main one first, as it is the last there.

    The frames of the runner itself are left out, and so are threads that have no others.
    """
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if THREAD.match(line):
            found.append((line.partition(" (most recent")[0], []))
        elif found and FRAME.match(line):
            found[-1][1].append(_BEFORE_IN.sub(r"\1, in ", line.strip()))
    for number, (name, frames) in enumerate(reversed(found)):
        own = [frame for frame in reversed(frames) if not _OURS.search(frame)]
        if own or not number:
            yield {"name": name if number else "MainThread", "stack": own}


_BEFORE_IN = re.compile(r"(line \d+) in ")

_OURS = re.compile(r'/codeloc_runner/|^File "<frozen')


def _seen(pid: int, remote: RunnerHandle | None) -> str:
    return kernel(pid) if remote is None else f"it runs on {remote.node}, out of sight"


def _deaf(pid: int) -> str:
    """Why a process would not print its stacks, or would end by the signal; "" where it would."""
    if not NUMBER:
        return "this platform has no signal for it"
    if sys.platform != "linux":
        return ""
    status = _status(pid)
    if status.get("State", "").startswith(("T", "t")):
        return f"the process is stopped, as by `kill -STOP {pid}`"
    if not int(status.get("SigCgt", "0"), 16) >> (NUMBER - 1) & 1:
        return f"it does not heed the signal for it; {kernel(pid)}"
    return ""


def _status(pid: int) -> dict[str, str]:
    """The fields of proc_pid_status(5); none of a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def kernel(pid: int) -> str:
    """What /proc lets us read of each thread: its state, where it waits, its system call."""
    try:
        tasks = sorted(os.listdir(f"/proc/{pid}/task"), key=int)
    except OSError:
        return "nothing of it can be read in /proc"
    told = [_task(f"/proc/{pid}/task/{task}", task) for task in tasks[:SHOWN]]
    more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
    return f"by /proc: {', '.join(told)}{more}"


SHOWN = 5
"""Threads of which the kernel's view is told."""


def _task(folder: str, task: str) -> str:
    state = _read(f"{folder}/stat").rpartition(")")[2].split()[:1]
    place, call = _read(f"{folder}/wchan"), _read(f"{folder}/syscall").split()[:1]
    where = f" in {place}" if place not in ("", "0") else ""
    doing = f", system call {call[0]}" if call and call[0].isdigit() else ""
    return f"thread {task} {_STATES.get(''.join(state), 'in an unknown state')}{where}{doing}"


_STATES = {
    "R": "runs",
    "S": "waits",
    "D": "waits for a device and cannot be interrupted",
    "T": "is stopped",
    "t": "is stopped by a debugger",
    "Z": "has ended",
}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
