"""Holds Dagster's code servers, and the runs that are their children, to the limits of their
locations."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

import psutil

from codelocd.core import events
from codelocd.core.limits import SERVER, SERVER_WITH_RUNS
from codelocd.daemon.limits import Excess, Held, LocationLimits
from codelocd.daemon.location import Location
from codelocd.daemon.usage import shares
from codelocd.dagster.code_server import CodeServer
from codelocd.model import Exit, Problem
from codelocd.process import tasks
from codelocd.render.text import size
from codelocd.runners.api import RunnerSpec

NAMING = 1.0
"""Seconds for a server to say which runs it has, before something of it is ended."""
GONE = 5.0
"""Seconds for a killed run to be gone, so that its memory is not counted again."""


class ServerLimits:
    """A run that is beyond a limit by itself is ended alone where the rest is within it; otherwise
    the server ends with all its runs, and is started again."""

    def __init__(self, limits: LocationLimits, locations: Mapping[str, Location]) -> None:
        self._limits = limits
        self._locations = locations
        self._work: set[asyncio.Task[None]] = set()

    def told(self, spec: RunnerSpec) -> RunnerSpec:
        """The order for the server beside a runner: its limits, in a control group of its own."""
        location = self._locations.get(spec.location)
        return spec if location is None else self._limits.told(spec, location.spec.policy)

    def discard(self, spec: RunnerSpec) -> None:
        """Nothing was started by this order."""
        self._limits.discard(spec.group)

    def begin(self, server: CodeServer) -> None:
        """Watch a server until it ends."""
        location = self._locations.get(server.location)
        if location is None:
            server.exited.add_done_callback(lambda _: self._limits.discard(server.group))
            return

        async def over(excess: Excess) -> None:
            end = self._over_tasks if excess.key == "tasks_limit" else self._over_memory
            work = asyncio.get_running_loop().create_task(end(server, held, excess))
            self._work.add(work)
            work.add_done_callback(self._work.discard)

        def ended(end: asyncio.Future[Exit]) -> None:
            policy = location.spec.policy
            problem = self._limits.ended(server.group, end.result(), policy, SERVER_WITH_RUNS)
            if problem is not None:
                self._tell(server, location, problem)

        server.exited.add_done_callback(ended)
        held = Held(location, server.pid, server.exited, server.group, over)
        self._limits.hold(held)

    async def _over_memory(self, server: CodeServer, held: Held, excess: Excess) -> None:
        runs = await asyncio.to_thread(server.run_processes)
        if not runs:
            self._end(server, held, excess.problem(SERVER))
            return
        used = await asyncio.to_thread(shares, server.pid)
        run = max(runs, key=lambda each: used.get(each.pid, 0))
        part = used.get(run.pid, 0)
        alone = excess.used - part <= excess.limit
        with contextlib.suppress(psutil.Error):
            run.suspend()  # it takes no more while the server is asked for its name
        name = await self._named(server, run)
        end = "it was ended" if alone else "all were ended"
        problem = excess.problem(SERVER_WITH_RUNS, f"; {name} used {size(part)} of it, and {end}")
        if not alone:
            self._end(server, held, problem)
            return
        assert held.location is not None
        held.location.tell(events.LimitMetBeside(problem))
        await asyncio.to_thread(_end_run, run)
        if not server.exited.done():
            self._limits.hold(held)

    async def _over_tasks(self, server: CodeServer, held: Held, excess: Excess) -> None:
        """All are stopped first, so that they start no others, and ended."""
        groups = await asyncio.to_thread(tasks.freeze, server.pid)
        runs = await asyncio.to_thread(server.run_processes)
        counts = {each.pid: tasks.count(each.pid) for each in runs}
        run = max(runs, key=lambda each: counts[each.pid], default=None)
        what, more = SERVER, ""
        if run is not None:
            if counts[run.pid] * 2 > excess.used and not server.exited.done():
                os.kill(server.pid, signal.SIGCONT)  # it is not to blame, and knows the run
            name, what = await self._named(server, run), SERVER_WITH_RUNS
            more = f"; {name} had {counts[run.pid]} of them, and all were ended"
        self._end(server, held, excess.problem(what, more))
        await asyncio.to_thread(tasks.end, groups - {server.pid})

    def _end(self, server: CodeServer, held: Held, problem: Problem) -> None:
        assert held.location is not None
        self._tell(server, held.location, problem)
        server.kill()

    def _tell(self, server: CodeServer, location: Location, problem: Problem) -> None:
        server.broke = problem
        location.tell(events.LimitMetBeside(problem))

    async def _named(self, server: CodeServer, run: psutil.Process) -> str:
        names = await server.runs_by_process(NAMING)
        return f"run {names[run.pid]}" if run.pid in names else f"the run of process {run.pid}"


def _end_run(run: psutil.Process) -> None:
    """Kill it with what it has started. Blocks until that is gone, for GONE seconds at most."""
    family = [run]
    with contextlib.suppress(psutil.Error):
        family += run.children(recursive=True)
    for each in family:
        with contextlib.suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(family, GONE)
