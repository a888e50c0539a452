"""An event loop whose clock does not count the time in which its own process was held up."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import selectors
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from codelocd.process.writer import write_what_is_taken

LAG = 1.0
"""Seconds by which a wait may be longer than asked for. Where it is longer, the whole process was
held up: it was stopped, or the machine slept or was too busy to run it."""

LAST = 10.0
"""Seconds for the threads of a process that has done all it had to do."""


def end_at_last(seconds: float = LAST) -> None:
    """Have this process end after that, with status 0, also where one of its threads does not: it
    may wait for what never comes, as on a disk that hangs. Standard error then has where it is."""
    threading.Thread(target=_end_after, args=(seconds,), daemon=True).start()


def _end_after(seconds: float) -> None:
    time.sleep(seconds)
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"codelocd: threads that had not ended after %g s:\n" % seconds)
            file.flush()
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            write_what_is_taken(2, file.read())
    finally:
        os._exit(0)


async def ended_within(seconds: float, work: Coroutine[None, None, None]) -> str | None:
    """Where each task waited, if `work` had not ended after that: it is cancelled then. Else None,
    or what `work` raises."""
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        return task.result()
    task.cancel()
    return "; ".join(sorted(map(_waits, asyncio.all_tasks() - {asyncio.current_task()})))


def _waits(task: asyncio.Task[Any]) -> str:
    """The functions that it is in, the innermost last, each with its line."""
    found: list[str] = []
    work: Any = task.get_coro()
    while (frame := getattr(work, "cr_frame", None)) is not None:
        found.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        work = getattr(work, "cr_await", None)
    return " > ".join(found)


def start_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Start all threads now: later the machine may have none left."""
    count = min(32, (os.cpu_count() or 1) + 4)  # as many as the loop's own executor would have
    pool = ThreadPoolExecutor(count, thread_name_prefix="work")
    loop.set_default_executor(pool)
    together = threading.Barrier(count)
    with contextlib.suppress(RuntimeError):  # the daemon works with those that could be started
        for _ in range(count):
            pool.submit(together.wait, 10.0)


class SteadyLoop(asyncio.SelectorEventLoop):
    """Deadlines on it are the daemon's patience, less the time in which it could not listen.

    So a daemon that was stopped for a minute goes on waiting where it left off. The time of day
    plays no part: the clock below is the kernel's monotonic one.
    """

    time: Callable[[], float]  # pyright: ignore[reportIncompatibleMethodOverride]
    """Seconds, from any beginning; does not go on while the process is held up. The loop asks
    often, so it is the clock itself while nothing was lost, and another function then: look it up
    each time that you call it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = self.time = clock
        self._lost = 0.0
        super().__init__(_TimedSelector(clock, self._lose))

    def _lose(self, seconds: float) -> None:
        self._lost += seconds
        self.time = self._time_that_counts

    def _time_that_counts(self) -> float:
        return self._clock() - self._lost


class _TimedSelector(selectors.DefaultSelector):
    """Tells of waits that took too long, and of too long a time between two of them."""

    def __init__(self, clock: Callable[[], float], lose: Callable[[float], None]) -> None:
        super().__init__()
        self._clock = clock
        self._lose = lose
        self._ended = clock()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """All of a time that was too long is lost: when in it the process was held up is not known.

        One function, because the loop calls it at each of its turns.
        """
        began = self._clock()
        if began - self._ended > LAG:
            self._lose(began - self._ended)
        found = super().select(timeout)
        self._ended = ended = self._clock()
        if timeout is not None and ended - began > LAG + max(timeout, 0.0):
            self._lose(ended - began)
        return found
