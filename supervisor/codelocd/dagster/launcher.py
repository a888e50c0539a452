"""Starts a code server beside every runner whose environment has Dagster."""

from __future__ import annotations

from collections.abc import Callable

from codelocd.dagster.companion import Companion
from codelocd.dagster.health import Patience
from codelocd.dagster.keeper import Keeper
from codelocd.dagster.release import release_in
from codelocd.dagster.side import Side
from codelocd.launchers import Launcher, RunnerHandle, RunnerSpec


class DagsterLauncher:
    """Another launcher's runners, with company where they are Dagster's.

    `side(spec)` is Dagster's side of what such a runner serves.
    """

    def __init__(self, runners: Launcher, side: Callable[[RunnerSpec], Side]) -> None:
        self._runners = runners
        self._side = side

    async def start(self, spec: RunnerSpec) -> RunnerHandle:
        runner = await self._runners.start(spec)
        if release_in(spec.executable) is None:
            return runner
        side = self._side(spec)
        try:
            keeper = Keeper(side, await side.start(spec.cold), Patience())
        except BaseException:
            runner.kill()
            raise
        return Companion(runner, keeper, spec.start_timeout)

    def suspect(self, spec: RunnerSpec, what: str) -> None:
        self._runners.suspect(spec, what)
