"""Processes that left the group of a child to outlive it, found by a variable they inherited.

Linux only: elsewhere nobody may read the environment of another process, and nothing is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Collection, Iterator
from itertools import count

VARIABLE = "CODELOCD_CHILD"
"""Names the child that a process descends from; a descendant that drops it is not found."""

_PASSES = 20
"""Searches in a row while each finds somebody: one may have forked as it was being killed."""


def marked(mark: str) -> dict[str, str]:
    """The variables of a process whose descendants shall be found."""
    return {VARIABLE: mark} if mark else {}


class Strays:
    """Ends what the children of one daemon leave behind."""

    def __init__(self) -> None:
        self._family = secrets.token_hex(6)
        self._numbers = count(1)
        self._gone: set[str] = set()
        self._hunt: asyncio.Task[None] | None = None

    def mark(self) -> str:
        """The value of VARIABLE for one more child."""
        return f"{self._family}-{next(self._numbers)}"

    def orphaned(self, mark: str) -> None:
        """That child is gone: in a moment, so are those that descend from it."""
        self._gone.add(mark)
        if self._hunt is None:
            self._hunt = asyncio.get_running_loop().create_task(self._search())

    async def settled(self) -> None:
        """Returns when nobody is left of the children that are gone."""
        if self._hunt is not None:
            await asyncio.shield(self._hunt)

    async def _search(self) -> None:
        try:
            while self._gone:
                marks, self._gone = self._gone, set()
                await asyncio.to_thread(end_all, marks)
        finally:
            self._hunt = None


def end_all(marks: Collection[str]) -> None:
    """Kill every process with one of these marks. Blocks for some milliseconds."""
    wanted = {f"{VARIABLE}={mark}".encode() for mark in marks}
    for _ in range(_PASSES):
        found = list(_marked(wanted))
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return


def _marked(wanted: Collection[bytes]) -> Iterator[int]:
    for pid, variables in _environments():
        if not variables.isdisjoint(wanted):
            yield pid


def _environments() -> Iterator[tuple[int, set[bytes]]]:
    """The variables that each process began with; none of those that are ending."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in filter(str.isdigit, names):
        with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            yield int(name), set(file.read().split(b"\0"))
