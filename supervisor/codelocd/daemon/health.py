"""Asks every runner that serves, from time to time, whether it still answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from codelocd.core import problems
from codelocd.core.events import Condemned, Event
from codelocd.daemon.location import Location, Running
from codelocd.model import RunnerId
from codelocd.rpc.errors import RpcError
from codelocd.runners.stacks import Stacks

EARLY = 0.5
"""The part of its interval by which a runner may be asked early, together with one that is due: so
all that have the same interval are soon asked in one sweep, and an idle daemon wakes seldom."""

SHARE = 0.1
"""Sweeps take at most this part of the daemon's time, even when many locations begin to serve at
once."""

LONGEST_PAUSE = 0.1
"""Seconds after one sweep, however long it took: a daemon may have been held up in between."""


@dataclass(slots=True)
class _Served:
    """A runner that serves, when it was asked last (or took over), and the ping that is under
    way."""

    since: float
    asking: asyncio.Task[None] | None = None
    timeout: float = 0.0

    @property
    def is_asked(self) -> bool:
        return self.asking is not None and not self.asking.done()

    def end(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
            self.asking = None


_Serving = tuple[Location, tuple[str, RunnerId], Running]


class Heartbeat:
    """Pings runners independently, so that a silent one does not delay the ping of another."""

    def __init__(
        self,
        locations: Callable[[], Iterable[Location]],
        send: Callable[[Location, Event], None],
        stirred: asyncio.Event,
        stacks: Callable[[Running], Awaitable[Stacks]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stirred`: set by the daemon when a location is served by another runner, or is to be
        kept by other rules. `stacks` tells where a runner is that does not answer.
        """
        self._locations = locations
        self._send = send
        self._stirred = stirred
        self._stacks = stacks
        self._clock = clock
        self._served: dict[tuple[str, RunnerId], _Served] = {}

    async def run(self) -> None:
        """For ever."""
        try:
            while True:
                self._stirred.clear()
                began = self._clock()
                wait = self.sweep()
                pause = min((self._clock() - began) / SHARE, LONGEST_PAUSE)
                await asyncio.sleep(pause)
                left = None if wait is None else max(0.0, wait - pause)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), left)
        finally:
            for each in self._served.values():
                each.end()

    def sweep(self) -> float | None:
        """Ask those that are due; seconds until the next one is, None while nothing serves."""
        now, serving = self._clock(), list(self._serving())
        self._hold_to(serving, now)
        waits = [self._wait(location, key, now) for location, key, _ in serving]
        if any(wait <= 0 for wait in waits):
            for (location, key, running), wait in zip(serving, waits, strict=True):
                if wait <= EARLY * location.spec.policy.ping_interval:
                    self._ask(location, key, running)
            waits = [self._wait(location, key, now) for location, key, _ in serving]
        return min(waits, default=None)

    def _hold_to(self, serving: Iterable[_Serving], now: float) -> None:
        """Forget runners that serve no more. A ping whose time limit has changed is sent again."""
        former = self._served
        self._served = {key: former.pop(key, _Served(now)) for _, key, _ in serving}
        for gone in former.values():
            gone.end()
        for location, key, running in serving:
            served = self._served[key]
            if served.is_asked and served.timeout != location.spec.policy.ping_timeout:
                served.end()
                self._ask(location, key, running)

    def _serving(self) -> Iterable[_Serving]:
        for location in self._locations():
            number, running = location.state.serving, location.serving
            if number is not None and running is not None:
                yield location, (location.name, number), running

    def _wait(self, location: Location, key: tuple[str, RunnerId], now: float) -> float:
        """Seconds until the next ping of this runner; while one is under way, until after its
        end."""
        served, policy = self._served[key], location.spec.policy
        least = policy.ping_interval * EARLY if served.is_asked else 0.0
        return max(least, served.since + policy.ping_interval - now)

    def _ask(self, location: Location, key: tuple[str, RunnerId], running: Running) -> None:
        served = self._served[key]
        if served.is_asked:
            return
        served.since, served.timeout = self._clock(), location.spec.policy.ping_timeout
        asking = self._examine(location, key[1], running)
        served.asking = asyncio.get_running_loop().create_task(asking)

    async def _examine(self, location: Location, number: RunnerId, running: Running) -> None:
        policy = location.spec.policy
        if not await self._answers(running, policy.ping_timeout):
            found, folder = await self._stacks(running), location.spec.working_directory
            problem = problems.unresponsive(
                policy.ping_timeout, found.threads, time.time(), folder, found.note
            )
            self._send(location, Condemned(number, problem))

    async def _answers(self, running: Running, timeout: float) -> bool:
        """Whether the runner answers. One that has ended counts as answering: its end is handled
        where processes are reaped."""
        try:
            await running.handle.call("ping", timeout=timeout)
        except RpcError as failure:
            return failure.kind != "timeout"
        running.answered = time.monotonic()
        return True
