"""Removes what nobody has used for long, once a day: environments, kits, what was learned."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from codeloc_envs import Environment, EnvironmentProblem, Store
from codelocd import worker
from codelocd.process import Children

FIRST = 600.0
"""Seconds after the start of the daemon: it has other things to do then, and may end soon."""

DAY = 86400.0


class Upkeep:
    """What `codelocd env prune` does, by the same rules. What locations have counts as used.

    `used()`: the environments of the daemon's locations, stopped ones included. `tidy()` removes
    what is old of the daemon's own.
    """

    def __init__(
        self,
        children: Children,
        store: Path,
        used: Callable[[], Iterable[Environment]],
        report: Callable[[str], None],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        *,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._children = children
        self._path = store
        self._store = Store(store)
        self._used = used
        self._report = report
        self._sleep = sleep
        self._tidy = tidy

    async def run(self) -> None:
        """For ever."""
        await self._sleep(FIRST)
        while True:
            await asyncio.to_thread(self._use, tuple(self._used()))
            with contextlib.suppress(OSError):  # short of processes: another day
                await self._prune()
                self._tidy()
            await self._sleep(DAY)

    def _use(self, environments: Iterable[Environment]) -> None:
        for environment in environments:
            with contextlib.suppress(EnvironmentProblem, OSError):
                self._store.lease(environment).close()

    async def _prune(self) -> None:
        said: list[bytes] = []
        finished = await worker.run(
            self._children, "codeloc_envs.pruner", str(self._path), line=said.append
        )
        if finished.end.status != 0:
            why = finished.last_line or finished.end
            self._report(f"unused environments could not be removed from {self._path}: {why}")
        elif keys := json.loads(said[-1])["keys"]:
            self._report(f"removed from the store, for nobody has used them: {', '.join(keys)}")
