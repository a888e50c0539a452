"""The code server beside one runner, whichever process it is at the moment."""

from __future__ import annotations

import asyncio
import contextlib

from codelocd import problems
from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.health import Patience, until_down
from codelocd.dagster.side import Side
from codelocd.launchers.outcome import Bad, Good, LoadOutcome, MustStartCold
from codelocd.model import Cold
from codelocd.restarts import Pauses
from codelocd.undisturbed import undisturbed


class Keeper:
    """Takes part in the load of the runner; once Dagster has been led to the server, replaces it
    when it dies or falls silent.
    """

    def __init__(self, side: Side, server: CodeServer, patience: Patience) -> None:
        self._side = side
        self._patience = patience
        self._serving: CodeServer | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._dropped = False
        self._hang = 0.0
        self.server = server

    async def load(self, seconds: float, runners: Good) -> LoadOutcome:
        """What came of the load of both, when that of the runner was good.

        A load after a fork that takes the server longer than `seconds` from now on hangs.
        """
        self._hang = seconds
        cold = await self._failure(seconds)
        if cold is not None and not self._dropped:
            return MustStartCold(cold)
        if cold is None and not self.server.exited.done():
            return runners
        end = problems.how(await self.server.exited)
        summary = f"Dagster's own code server {end} while it loaded the code"
        problem = {"summary": summary, "detail": self.server.last_lines}
        return Bad(problem, runners.snapshot.sources, runners.read)

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

    async def _failure(self, seconds: float) -> Cold | None:
        """Why the load is to be made again without a fork; None if the server answers, or ended
        over a load that no fork is to blame for."""
        if self.server.choice.method != "fork":
            await self.server.answered()
            return None
        try:
            async with asyncio.timeout(seconds):
                if await self.server.answered():
                    return None
        except TimeoutError:
            return self._suspicion("did not finish loading")
        return self._suspicion(f"{problems.how(await self.server.exited)} while loading")

    def _suspicion(self, what: str) -> Cold:
        what = f"the code server {what} after a fork"
        return Cold(what, f"{self._side.spec.location}: {what}")

    async def _start(self, cold: Cold | None) -> None:
        self.server = await undisturbed(self._side.start(cold), CodeServer.kill)
        if self._dropped:
            self.server.kill()

    def _lead(self) -> None:
        self._serving = self.server
        self._side.served(self.server)

    async def _keep(self) -> None:
        """Start another one when it is needed: where a fork has failed, the next without one."""
        loop, pauses = asyncio.get_running_loop(), Pauses()
        while True:
            began = loop.time()
            what = await until_down(self.server, self._patience)
            self._side.say(f"Dagster's code server {what}; another one takes its place")
            await asyncio.sleep(pauses.after(loop.time() - began))
            with contextlib.suppress(OSError):
                await self._start(None)
                if (cold := await self._failure(self._hang)) is not None:
                    self.server.kill()
                    await self._start(cold)
                    await self._failure(self._hang)
                if not self.server.exited.done():
                    self._lead()
                    if cold is not None:
                        self._side.suspect(cold)
