"""Asks every runner that serves, from time to time, whether it still answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from codelocd.core import problems
from codelocd.core.events import Condemned, Event
from codelocd.daemon.location import Location, Running
from codelocd.daemon.starts import another
from codelocd.model import Policy, RunnerId
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

    def wait(self, policy: Policy, now: float) -> float:
        """Seconds until its next ping; while one is under way, until after its end."""
        least = policy.ping_interval * EARLY if self.is_asked else 0.0
        return max(least, self.since + policy.ping_interval - now)

    def end(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
            self.asking = None


_Asked = tuple[Location, RunnerId, Running]


class Heartbeat:
    """Pings runners independently, so that a silent one does not delay the ping of another."""

    def __init__(
        self,
        locations: Callable[[], Iterable[Location]],
        send: Callable[[Location, Event], None],
        stirred: asyncio.Event,
        stacks: Callable[[Running], Awaitable[Stacks]],
        clock: Callable[[], float] = time.monotonic,
        beat: Callable[[float], None] = lambda _now: None,
    ) -> None:
        """`stirred`: set by the daemon when a location is served by another runner, or is to be
        kept by other rules. `stacks` tells where a runner is that does not answer. `beat` is called
        with each sweep, for what else is to give a sign of life.
        """
        self._locations = locations
        self._send = send
        self._stirred = stirred
        self._stacks = stacks
        self._clock = clock
        self._beat = beat
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
                    async with asyncio.timeout(left):
                        await self._stirred.wait()
        finally:
            for each in self._served.values():
                each.end()

    def sweep(self) -> float | None:
        """Ask those that are due; seconds until the next one is, None while nothing serves."""
        now, serving = self._clock(), self._held()
        waits = [served.wait(policy, now) for _, served, policy in serving]
        if any(wait <= 0 for wait in waits):
            self._beat(now)
            for (asked, served, policy), wait in zip(serving, waits, strict=True):
                if wait <= EARLY * policy.ping_interval:
                    self._ask(asked, served, policy)
            waits = [served.wait(policy, now) for _, served, policy in serving]
        return min(waits, default=None)

    def _held(self) -> list[tuple[_Asked, _Served, Policy]]:
        """Those that serve; forget runners that serve no more. A ping whose time limit has changed
        is sent again. One function: each takeover asks it of all locations."""
        now, former, self._served = self._clock(), self._served, {}
        serving = []
        for location in self._locations():
            number, policy = location.state.serving, location.spec.policy
            if number is None or (running := location.runners.get(number)) is None:
                continue
            key = (location.name, number)
            served = self._served[key] = former.pop(key) if key in former else _Served(now)
            serving.append(((location, number, running), served, policy))
        for gone in former.values():
            gone.end()
        for asked, served, policy in serving:
            if served.asking and served.is_asked and served.timeout != policy.ping_timeout:
                served.end()
                self._ask(asked, served, policy)
        return serving

    def _ask(self, asked: _Asked, served: _Served, policy: Policy) -> None:
        if served.is_asked:
            return
        served.since, served.timeout = self._clock(), policy.ping_timeout
        served.asking = asyncio.get_running_loop().create_task(self._examine(*asked))

    async def _examine(self, location: Location, number: RunnerId, running: Running) -> None:
        policy = location.spec.policy
        answer = await self._answer(running, policy.ping_timeout)
        if answer is None:
            found, folder = await self._stacks(running), location.spec.working_directory
            problem = problems.unresponsive(
                policy.ping_timeout, found.threads, time.time(), folder, found.note
            )
            self._send(location, Condemned(number, problem))
        elif answer.get("serves") is False and not location.state.leaving:
            self._send(location, Condemned(number, await another(running)))

    async def _answer(self, running: Running, timeout: float) -> dict[str, Any] | None:
        """The runner's answer to a ping, None where none comes. One that has ended counts as
        answering: its end is handled where processes are reaped."""
        try:
            said = await running.handle.call("ping", timeout=timeout)
        except RpcError as failure:
            return None if failure.kind == "timeout" else {}
        running.answered = time.monotonic()
        return said if isinstance(said, dict) else {}
