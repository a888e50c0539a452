"""A runner's handle around another one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from codelocd.model import Cold, Exit, Problem, StartMethod
from codelocd.runners.api import Hooks, LoadOutcome, RunnerHandle


class WrappedRunner:
    """A runner's handle that wraps another one: what a subclass does not define is passed on."""

    def __init__(self, runner: RunnerHandle) -> None:
        self._runner = runner
        self.pid = runner.pid
        self.node, self.placed_why = runner.node, runner.placed_why
        self.start_method: StartMethod = runner.start_method
        self.why = runner.why

    @property
    def lost(self) -> Problem | None:
        return self._runner.lost

    @property
    def gone(self) -> Problem | None:
        return self._runner.gone

    @property
    def usage(self) -> tuple[int, float | None] | None:
        return self._runner.usage

    @property
    def hooks(self) -> Hooks | None:
        return self._runner.hooks

    @property
    def exited(self) -> asyncio.Future[Exit]:
        return self._runner.exited

    @property
    def has_let_go(self) -> asyncio.Future[None]:
        return self._runner.has_let_go

    @property
    def record(self) -> Mapping[str, Any] | None:
        return self._runner.record

    async def load(self) -> LoadOutcome:
        return await self._runner.load()

    def blamed(self, end: Exit) -> Cold | None:
        return self._runner.blamed(end)

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        return await self._runner.call(method, params, timeout)

    async def serve(self) -> bool:
        return await self._runner.serve()

    def take_over(self) -> None:
        self._runner.take_over()

    async def retire(self, patience: float, grace: float) -> None:
        await self._runner.retire(patience, grace)

    def kill(self) -> None:
        self._runner.kill()

    def signal(self, number: int) -> None:
        self._runner.signal(number)
