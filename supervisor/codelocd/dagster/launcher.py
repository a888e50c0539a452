"""Starts a code server beside every runner whose environment has Dagster."""

from __future__ import annotations

from collections.abc import Callable

from codelocd.dagster.code_server import CodeServer
from codelocd.dagster.companion import Companion
from codelocd.dagster.release import release_in
from codelocd.launchers import Launcher, RunnerHandle, RunnerSpec

StartServer = Callable[[RunnerSpec], CodeServer]


class DagsterLauncher:
    """Another launcher's runners, with company where they are Dagster's."""

    def __init__(
        self,
        runners: Launcher,
        start: StartServer,
        served: Callable[[RunnerSpec, CodeServer], None],
        released: Callable[[RunnerSpec, CodeServer], None],
    ) -> None:
        self._runners = runners
        self._start = start
        self._served = served
        self._released = released

    async def start(self, spec: RunnerSpec) -> RunnerHandle:
        runner = await self._runners.start(spec)
        if release_in(spec.executable) is None:
            return runner
        return Companion(
            runner,
            lambda: self._start(spec),
            lambda server: self._served(spec, server),
            lambda server: self._released(spec, server),
        )
