"""Asks every runner that serves, from time to time, whether it still answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from codelocd import lifecycle, problems
from codelocd.locations import Location, Running
from codelocd.model import Policy, RunnerId
from codelocd.rpc import RpcError
from codelocd.usage import Sampler

LAG = 1.0
"""Seconds by which the daemon itself may be late before it blames nobody but itself."""


class Heartbeat:
    """All pings in one sweep, so that an idle daemon wakes as seldom as possible."""

    def __init__(
        self,
        locations: Callable[[], Iterable[Location]],
        send: Callable[[Location, lifecycle.Event], None],
        usage: Sampler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._locations = locations
        self._send = send
        self._usage = usage
        self._clock = clock

    async def run(self) -> None:
        """Sweep for ever; locations whose interval has not passed are left out."""
        asked: dict[str, float] = {}
        while True:
            await asyncio.sleep(self._interval())
            asked = {each.name: asked.get(each.name, 0.0) for each in self._locations()}
            due = [
                (location, number, running)
                for location in self._locations()
                if (number := location.state.serving) is not None
                and (running := location.serving) is not None
                and self._clock() - asked[location.name] >= location.spec.policy.ping_interval - LAG
            ]
            asked.update((location.name, self._clock()) for location, *_ in due)
            await asyncio.gather(*(self._examine(*each) for each in due))

    def _interval(self) -> float:
        return min(
            (each.spec.policy.ping_interval for each in self._locations()),
            default=Policy().ping_interval,
        )

    async def _examine(self, location: Location, number: RunnerId, running: Running) -> None:
        policy = location.spec.policy
        if not await self._answers(running, policy.ping_timeout):
            problem = problems.unresponsive(policy.ping_timeout, time.time())
            self._send(location, lifecycle.Condemned(number, problem))
            return
        if policy.memory_limit is None:
            return
        await self._usage.sample([running.handle.pid])
        usage = self._usage.usage(running.handle.pid)
        if usage is not None and usage.memory > policy.memory_limit:
            problem = problems.over_memory(usage.memory, policy.memory_limit, time.time())
            self._send(location, lifecycle.Condemned(number, problem))

    async def _answers(self, running: Running, timeout: float) -> bool:
        """A ping that failed while the daemon itself was held up proves nothing: ask again."""
        while True:
            began = self._clock()
            try:
                await running.handle.call("ping", timeout=timeout)
            except RpcError as failure:
                if failure.kind != "timeout":
                    return True  # its end, if it has ended, is noticed elsewhere
                if self._clock() - began <= timeout + LAG:
                    return False
            else:
                return True
