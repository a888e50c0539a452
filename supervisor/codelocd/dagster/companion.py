"""A runner and the code server beside it: for everybody else they are one runner."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from codelocd.dagster.keeper import Keeper
from codelocd.launchers import Hooks, RunnerHandle
from codelocd.launchers.outcome import Good, LoadOutcome, hangs_after
from codelocd.model import Cold, Exit, StartMethod


class Companion:
    """Loaded when both have loaded; takes over, and leaves, with both.

    A server that serves outlives a runner that died: the last good definitions stay in Dagster
    too, until another pair takes over. `start_timeout`: the location's own, in seconds.
    """

    def __init__(self, runner: RunnerHandle, keeper: Keeper, start_timeout: float) -> None:
        self._runner = runner
        self._keeper = keeper
        self._start_timeout = start_timeout
        runner.exited.add_done_callback(lambda _: keeper.drop())

    @property
    def pid(self) -> int:
        return self._runner.pid

    @property
    def start_method(self) -> StartMethod:
        return self._runner.start_method

    @property
    def why(self) -> str:
        return self._runner.why

    @property
    def hooks(self) -> Hooks | None:
        return self._runner.hooks

    @property
    def exited(self) -> asyncio.Future[Exit]:
        return self._runner.exited

    async def load(self) -> LoadOutcome:
        """The same as without a code server, if that one has loaded the code too."""
        outcome = await self._runner.load()
        if not isinstance(outcome, Good) or outcome.snapshot.loader != "dagster":
            self._keeper.drop()
            return outcome
        limit = hangs_after(outcome.snapshot.load_seconds, self._start_timeout)
        return await self._keeper.load(limit, outcome)

    def blamed(self, end: Exit) -> Cold | None:
        return self._runner.blamed(end)

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        return await self._runner.call(method, params, timeout)

    def take_over(self) -> None:
        self._runner.take_over()
        self._keeper.take_over()

    async def retire(self, patience: float, grace: float) -> None:
        self._keeper.release()
        await self._runner.retire(patience, grace)

    def kill(self) -> None:
        self._runner.kill()
        self._keeper.drop()
