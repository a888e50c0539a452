"""Memory and CPU of runners: sampled when asked for, or published to those who subscribed."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from codeloc_envs.problem import shortage
from codelocd.daemon.subscriptions import Hub
from codelocd.process.garbage import collect
from codelocd.runners.api import RunnerHandle

if TYPE_CHECKING:
    from codelocd.documents.events import UsageDocument


QUIET = 1.0
"""Seconds without an event after which the daemon is idle: no client is about to wait for it."""


class MemoryTrimmer:
    """Gives unused memory back to the system whenever the daemon comes to rest.

    One for the daemon: `stir` says that something happens.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stirred = 0.0
        self._waiting = False

    def stir(self) -> None:
        self._stirred = self._loop.time()
        if not self._waiting:
            self._waiting = True
            self._wait()

    def _wait(self) -> None:
        self._loop.call_at(self._stirred + QUIET, self._come_to_rest)

    def _come_to_rest(self) -> None:
        if self._loop.time() < self._stirred + QUIET:
            self._wait()
            return
        self._waiting = False
        collect()
        with contextlib.suppress(RuntimeError):  # the daemon ends, and its threads have
            self._loop.run_in_executor(None, trim)


def trim() -> None:
    """Whole pages that hold nothing, wherever they lie; nothing happens but with glibc.

    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


INTERVAL = 10.0
"""Seconds for which a sample is good enough."""

OLD = 60.0
"""Seconds after which a sample is not used any more: a request then waits for a new one."""

PATIENCE = 0.02
"""Seconds that a request waits at most for a new sample, which takes the kernel 0.5 ms for each
process."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory`: bytes of PSS of the process and its descendants (RSS where there is no PSS);
    `cpu`: fraction of one core since the sample before."""

    memory: int
    cpu: float | None


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu_seconds: float
    usage: Usage


def here(runners: Iterable[RunnerHandle]) -> list[int]:
    """The processes of those that are on this machine."""
    return [each.pid for each in runners if each.node is None]


class Sampler:
    """Remembers the last sample of each process; those that are gone are forgotten.

    A look takes milliseconds for each process, so it is taken in a thread.
    """

    def __init__(self) -> None:
        self._samples: dict[int, _Sample] = {}
        self._looking = asyncio.Lock()
        self._looks: set[asyncio.Task[None]] = set()

    def usage(self, pid: int) -> Usage | None:
        """As last sampled; None for a process that was not there."""
        sample = self._samples.get(pid)
        return sample.usage if sample is not None else None

    def of(self, runner: RunnerHandle) -> Usage | None:
        """The same of a runner, wherever it is: a node tells of its own."""
        if runner.node is None:
            return self.usage(runner.pid)
        return None if runner.usage is None else Usage(*runner.usage)

    async def sample_runners(self, runners: Iterable[RunnerHandle]) -> None:
        """As `sample`, of those that are on this machine."""
        await self.sample(here(runners))

    async def sample(self, pids: Collection[int]) -> None:
        """Sample these processes, unless their last samples are new enough. Where the last ones
        are of some use, it waits only a moment for new ones."""
        look = asyncio.get_running_loop().create_task(self.refresh(pids, INTERVAL))
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        well_known = not self._due(pids, OLD)
        await asyncio.wait([look], timeout=PATIENCE if well_known else None)
        if look.done():
            look.result()

    async def refresh(self, pids: Collection[int], age: float) -> None:
        """Sample those of which there is no sample younger than `age` seconds."""
        async with self._looking:
            if due := self._due(pids, age):
                now = time.monotonic()
                try:
                    looked = await asyncio.to_thread(_look, due, dict(self._samples), now)
                except (OSError, RuntimeError) as error:
                    if not shortage(error):
                        raise
                    return  # what was known before is all that is known now
                self._samples = {p: s for p, s in looked.items() if psutil.pid_exists(p)}

    def _due(self, pids: Collection[int], age: float) -> list[int]:
        """Those of which there is no sample younger than `age` seconds."""
        now, known = time.monotonic(), self._samples
        return [pid for pid in pids if pid not in known or now - known[pid].at >= age]


def _look(pids: Collection[int], samples: dict[int, _Sample], now: float) -> dict[int, _Sample]:
    """The samples, with new ones of these processes."""
    children = _children()
    for pid in pids:
        former = samples.pop(pid, None)
        with contextlib.suppress(psutil.Error):
            samples[pid] = _sampled(psutil.Process(pid), children, former, now)
    return samples


def memory_of(limits: Mapping[int, int]) -> tuple[dict[int, int], float]:
    """Bytes of these processes with what descends from them, by pid, and the seconds of a core that
    this look took. Blocks.

    Resident memory, which takes a look of microseconds; where that is beyond the limit given for
    the pid, PSS, which counts what is shared once. One that has ended is left out.
    """
    began, found, children = time.thread_time(), {}, _children()
    for pid, limit in limits.items():
        with contextlib.suppress(psutil.Error):
            family = list(_family(psutil.Process(pid), children))
            resident = sum(_resident(each) for each in family)
            found[pid] = resident if resident <= limit else sum(_measure(e)[0] for e in family)
    return found, time.thread_time() - began


def shares(pid: int) -> dict[int, int]:
    """Bytes of PSS of each child of a process with what descends from it, by the child's pid.
    Blocks."""
    children, found = _children(), {}
    for child in children.get(pid, ()):
        found[child.pid] = sum(_measure(each)[0] for each in _family(child, children))
    return found


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


def _children() -> Mapping[int, list[psutil.Process]]:
    """Every process of this machine, by its parent."""
    found: dict[int, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found[process.ppid()].append(process)
    return found


def _sampled(
    process: psutil.Process,
    children: Mapping[int, list[psutil.Process]],
    former: _Sample | None,
    now: float,
) -> _Sample:
    measured = [_measure(each) for each in _family(process, children)]
    seconds = sum(cpu for _, cpu in measured)
    cpu = None
    if former is not None:
        cpu = max(0.0, (seconds - former.cpu_seconds) / (now - former.at))
    return _Sample(now, seconds, Usage(sum(memory for memory, _ in measured), cpu))


def _family(
    process: psutil.Process, children: Mapping[int, list[psutil.Process]]
) -> Iterator[psutil.Process]:
    yield process
    for child in children.get(process.pid, ()):
        yield from _family(child, children)


def _measure(process: psutil.Process) -> tuple[int, float]:
    """(bytes, CPU seconds); nothing for a descendant that has just ended."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            return _proportional(process), times.user + times.system
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0, 0.0


def _proportional(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
    return int(getattr(full, "pss", 0) or full.rss)


# --- the topic usage ---------------------------------------------------------------------------

EVERY = 5.0
"""Seconds between two samples."""


class UsageReports:
    """The topic `usage`. `runners()` gives the runner of each location that serves, or None."""

    def __init__(
        self, hub: Hub, sampler: Sampler, runners: Callable[[], Mapping[str, RunnerHandle | None]]
    ) -> None:
        self._hub = hub
        self._sampler = sampler
        self._runners = runners
        self._last: UsageDocument | None = None

    async def run(self) -> None:
        """Sample and publish for ever. Without a subscriber it sleeps."""
        while True:
            await self._hub.heard("usage")
            runners = self._runners()
            there = [each for each in runners.values() if each is not None]
            await self._sampler.refresh(here(there), EVERY / 2)
            self._last = self._document(runners)
            self._hub.publish("usage", self._last)
            await asyncio.sleep(EVERY)

    def last(self) -> UsageDocument:
        """The newest sample, for those who come; without one of the last moments an empty one."""
        if self._last is None or time.time() - self._last["at"] > 2 * EVERY:
            return {"at": time.time(), "locations": {}}
        return self._last

    def _document(self, runners: Mapping[str, RunnerHandle | None]) -> UsageDocument:
        found: UsageDocument = {"at": time.time(), "locations": {}}
        for name, runner in runners.items():
            usage = self._sampler.of(runner) if runner is not None else None
            found["locations"][name] = None if usage is None else [usage.memory, usage.cpu]
        return found
