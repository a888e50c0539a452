"""A runner and the code server beside it: for everybody else they are one runner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from codelocd import problems
from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.keeper import Keeper
from codelocd.launchers import Hooks, RunnerHandle
from codelocd.launchers.warm_runner import Departed, hangs_after
from codelocd.model import Exit, StartMethod


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

    async def call(
        self, method: str, params: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any:
        try:
            answer = await self._runner.call(method, params, timeout)
        except Departed as departed:
            self._keeper.distrust(departed.message)
            raise
        return await self._with_server(answer) if method == "snapshot" else answer

    async def _with_server(self, answer: Mapping[str, Any]) -> Any:
        loaded = json.loads(answer["body"])
        if not answer["ok"] or loaded["loader"] != "dagster":
            self._keeper.drop()
            return answer
        if await self._keeper.answers(hangs_after(loaded["load_seconds"], self._start_timeout)):
            return answer
        server = self._keeper.server
        return {"ok": False, "body": _failed(loaded, await server.exited, server)}

    def take_over(self) -> None:
        self._runner.take_over()
        self._keeper.take_over()

    async def retire(self, patience: float, grace: float) -> None:
        self._keeper.release()
        await self._runner.retire(patience, grace)

    def kill(self) -> None:
        self._runner.kill()
        self._keeper.drop()


def _failed(loaded: Mapping[str, Any], end: Exit, server: CodeServer) -> bytes:
    """The load as failed: what Dagster itself cannot serve must not take over."""
    summary = f"Dagster's own code server {problems.how(end)} while it loaded the code"
    problem = {"kind": "load", "summary": summary, "detail": server.last_lines}
    kept = {name: loaded[name] for name in ("sources", "python", "load_seconds", "watch")}
    return json.dumps({"problem": problem, **kept}).encode()
