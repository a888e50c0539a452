"""The code server beside one runner, whichever process it is at the moment."""

from __future__ import annotations

import asyncio
import contextlib

from codelocd import problems
from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.health import Patience, until_down
from codelocd.dagster.side import Side
from codelocd.restarts import Pauses
from codelocd.undisturbed import undisturbed


class Keeper:
    """Gives a load that fails after a fork another chance without one; once Dagster has been led
    to the server, replaces it when it dies or falls silent.
    """

    def __init__(self, side: Side, server: CodeServer, patience: Patience) -> None:
        self._side = side
        self._patience = patience
        self._serving: CodeServer | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._dropped = False
        self._distrusted = ""
        self._hang = 0.0
        self.server = server

    async def answers(self, seconds: float) -> bool:
        """Waits until the server has loaded the code; False if it ended over it.

        A load after a fork that takes longer than `seconds` hangs.
        """
        self._hang = seconds
        if self._distrusted and self.server.choice.method != "spawn":
            await self._start_again(self._distrusted)
        if self.server.choice.method != "fork":
            return await self.server.answered()
        why = await self._failure(seconds)
        if not why or self._dropped:
            return not why
        await self._start_again(why)
        if not await self.server.answered():
            return False
        self._side.suspect(why)
        return True

    def distrust(self, why: str) -> None:
        """The runner's load has shown that this one must not have a warm start."""
        self._distrusted = why

    def take_over(self) -> None:
        self._lead()
        self._keeping = asyncio.get_running_loop().create_task(self._keep())

    def release(self) -> None:
        """Another one has taken over, or nobody shall."""
        self.drop()
        if self._serving is not None:
            self._side.released(self._serving)

    def drop(self) -> None:
        """The runner is gone, or will be: a server that has not taken over goes with it."""
        self._dropped = True
        if self._keeping is not None:
            self._keeping.cancel()
        if self.server is not self._serving:
            self.server.kill()

    async def _start_again(self, why: str) -> None:
        self.server.kill()
        with contextlib.suppress(OSError):
            await self._start(f"{why}; it was started again on its own")

    async def _failure(self, seconds: float) -> str:
        """What went wrong after a fork; "" if the server answers."""
        try:
            async with asyncio.timeout(seconds):
                if await self.server.answered():
                    return ""
        except TimeoutError:
            return "the code server did not finish loading after a fork"
        end = problems.how(await self.server.exited)
        return f"the code server {end} while loading after a fork"

    async def _start(self, distrusted: str = "") -> None:
        starting = self._side.start(distrusted)
        self.server = await undisturbed(starting, CodeServer.kill)
        if self._dropped:
            self.server.kill()

    def _lead(self) -> None:
        self._serving = self.server
        self._side.served(self.server)

    async def _keep(self) -> None:
        loop, pauses = asyncio.get_running_loop(), Pauses()
        while True:
            began = loop.time()
            what = await until_down(self.server, self._patience)
            self._side.say(f"Dagster's code server {what}; another one takes its place")
            await asyncio.sleep(pauses.after(loop.time() - began))
            with contextlib.suppress(OSError):
                await self._start()
                if await self.answers(self._hang):
                    self._lead()
