"""Replaced code servers, until the last of their runs has ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.grpc import CallFailed

INTERVAL = 0.5
"""Seconds between two looks at a server that has runs in progress."""
GRACE = 10.0
"""Seconds from SIGTERM to the end of all that a server has, and of silence without any runs."""

Cancelled = Callable[[list[str]], Awaitable[list[str]]]
"""Which of these runs somebody has asked Dagster to terminate."""


class Drain:
    """Lets each server go, forwards what is meant for it, and waits at most `patience` seconds.

    Dagster finds the server of a run by the location's link. A cancel therefore reaches the
    server that took over, which knows nothing of the run: it is told to the old one from here.
    """

    def __init__(self, patience: float, cancelled: Cancelled) -> None:
        self._patience = patience
        self._cancelled = cancelled
        self._leaving: dict[asyncio.Task[None], CodeServer] = {}

    def take(self, server: CodeServer) -> None:
        task = asyncio.get_running_loop().create_task(self._see_off(server))
        self._leaving[task] = server
        task.add_done_callback(self._leaving.pop)

    async def close(self, seconds: float) -> None:
        """End all of them, their runs included, `seconds` after they were asked to."""
        servers = list(self._leaving.values())
        for task in tuple(self._leaving):
            task.cancel()
        for server in servers:
            server.terminate()
        await asyncio.gather(*(server.gone(seconds) for server in servers))
        for server in servers:
            server.kill()

    async def _see_off(self, server: CodeServer) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await server.leave()
                await self._wait(server)
                return
        server.terminate()
        if not await server.gone(GRACE):
            server.kill()

    async def _wait(self, server: CodeServer) -> None:
        """A server that is silent and has no runs is of no use to anybody."""
        loop, told = asyncio.get_running_loop(), set[str]()
        heard = loop.time()
        while not await server.gone(INTERVAL):
            try:
                await self._forward(server, told)
                heard = loop.time()
            except CallFailed:
                if loop.time() - heard > GRACE and not server.may_have_runs():
                    server.kill()

    async def _forward(self, server: CodeServer, told: set[str]) -> None:
        """The cancels of its runs that it was not `told` before. Raises CallFailed."""
        runs = [run for run in await server.runs() if run not in told]
        for run in await self._cancelled(runs) if runs else ():
            await server.cancel(run)
            told.add(run)
