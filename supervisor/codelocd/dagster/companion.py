"""A runner and the code server beside it: for everybody else they are one runner."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from codelocd import problems
from codelocd.dagster.code_server import CodeServer
from codelocd.launchers import Hooks, RunnerHandle
from codelocd.model import Exit, StartMethod

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 60.0
"""Seconds before a server that died is started again; doubled each time it dies at once."""
HEALTHY_AFTER = 60.0


class Companion:
    """Loaded when both have loaded; takes over, and leaves, with both.

    `served(server)` is called when Dagster shall be led to a server, `released(server)` when the
    location has no more use for it. A server that serves outlives a runner that died: the last
    good definitions stay in Dagster too, until another pair takes over.
    """

    def __init__(
        self,
        runner: RunnerHandle,
        start: Callable[[], CodeServer],
        served: Callable[[CodeServer], None],
        released: Callable[[CodeServer], None],
    ) -> None:
        self._runner = runner
        self._start = start
        self._served = served
        self._released = released
        self._server: CodeServer | None = start()
        self._keeping: asyncio.Task[None] | None = None
        runner.exited.add_done_callback(lambda _: self._drop())

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
        answer = await self._runner.call(method, params, timeout)
        if method == "snapshot" and self._server is not None:
            return await self._with_server(answer, self._server)
        return answer

    async def _with_server(self, answer: Mapping[str, Any], server: CodeServer) -> Any:
        if not answer["ok"] or json.loads(answer["body"])["loader"] != "dagster":
            self._drop()
            return answer
        if await server.answered():
            return answer
        return {"ok": False, "body": _failed(answer["body"], await server.exited, server)}

    def take_over(self) -> None:
        self._runner.take_over()
        if self._server is not None:
            self._served(self._server)
            self._keeping = asyncio.get_running_loop().create_task(self._keep(self._server))

    async def retire(self, patience: float, grace: float) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            if self._server is not None:
                self._released(self._server)
        await self._runner.retire(patience, grace)

    def kill(self) -> None:
        self._runner.kill()
        self._drop()

    async def _keep(self, server: CodeServer) -> None:
        """A server that dies while its runner serves is back by itself."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE
        while True:
            began = loop.time()
            await asyncio.shield(server.exited)
            pause = FIRST_PAUSE if loop.time() - began > HEALTHY_AFTER else pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            with contextlib.suppress(OSError):
                server = self._server = self._start()
            if await server.answered():
                self._served(server)

    def _drop(self) -> None:
        """The runner is gone, or will be: a server that has not taken over goes with it."""
        if self._keeping is not None:
            self._keeping.cancel()
        elif self._server is not None:
            self._server.kill()
            self._server = None


def _failed(body: bytes, end: Exit, server: CodeServer) -> bytes:
    """The load as failed: what Dagster itself cannot serve must not take over."""
    loaded = json.loads(body)
    summary = f"Dagster's own code server {problems.how(end)} while it loaded the code"
    problem = {"kind": "load", "summary": summary, "detail": server.last_lines}
    kept = {name: loaded[name] for name in ("sources", "python", "load_seconds")}
    return json.dumps({"problem": problem, **kept}).encode()
