"""The processes of attempts: started, heard, held to limits, signalled, adopted, and their ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codeloc_envs.problem import shortage
from codelocd.core import problems
from codelocd.daemon.limits import LocationLimits
from codelocd.daemon.locations import Locations
from codelocd.daemon.runs.attempts import process_of, tell_end
from codelocd.daemon.runs.event_pipe import EventsRead, opened_fifo
from codelocd.daemon.runs.folders import AttemptFolders
from codelocd.daemon.runs.left import LeftRuns
from codelocd.daemon.runs.live import AttemptLimits, LiveAttempt, LockedAttempt
from codelocd.daemon.runs.output import RunOutputs
from codelocd.daemon.runs.parts import ToldOfAttempts
from codelocd.daemon.runs.preparations import AttemptPreparations
from codelocd.daemon.runs.served import ServedCodes
from codelocd.daemon.runs.served_processes import ServedProcesses
from codelocd.model import Exit, Policy, Problem
from codelocd.process.child import Children
from codelocd.process.inheritance import RUN
from codelocd.runners.warm.launcher import WarmLauncher
from codelocd.runs.events import AttemptLost, AttemptStarted, StartAttempt, TellDagster
from codelocd.runs.folder import AGAIN, AttemptFiles
from codelocd.runs.model import RunId, RunRecord
from codelocd.storage.logs import LogQuery

if TYPE_CHECKING:
    from codelocd.daemon.runs.dagster_reports import DagsterReports

REFUSED = 3
"""The exit status of a process whose attempt another one has, or had (docs/protocol.md)."""
LAST_LINES = 200
"""Lines of output that are searched for the place of a crash."""


@dataclass(frozen=True, slots=True)
class AttemptParts:
    """What a daemon has that attempts need."""

    warm: WarmLauncher
    children: Children
    processes: ServedProcesses
    limits: LocationLimits
    locations: Locations
    outputs: RunOutputs
    left: LeftRuns


class LocalAttempts:
    """`keeper` and `reports` are set before anything is started or adopted."""

    keeper: ToldOfAttempts
    reports: DagsterReports

    def __init__(self, parts: AttemptParts, folders: AttemptFolders, codes: ServedCodes) -> None:
        self._parts = parts
        self._folders = folders
        self._codes = codes
        self._limits = AttemptLimits(parts.limits, parts.locations)
        self._preparations = AttemptPreparations(parts, folders, codes, self._limits)
        self._live: dict[RunId, LiveAttempt | LockedAttempt] = {}
        self._work: set[asyncio.Task[None]] = set()

    async def tell_dagster(self, run: RunId, effect: TellDagster) -> None:
        """Raises OSError where Dagster cannot be told."""
        await self.reports.tell(run, effect)

    def runnable(self, name: str) -> str | None:
        """Why runs of the location cannot be carried out here, in one line; None: they can."""
        location = self._parts.locations.get(name)
        if location is None or location.spec.placement.is_local:
            return None
        return (
            f"{name} is placed on an engine, and runs are carried out on this machine alone;"
            " take its `engine` away, or run it with `codelocd run -f`"
        )

    # --- starts ---------------------------------------------------------------------------------

    def prepare(self, run: RunRecord, effect: StartAttempt) -> None:
        """Of a new run: begin with what its start takes, while its record is being written."""
        self._preparations.begin(run, effect)

    def call_off(self, run: RunId) -> None:
        """No start follows."""
        self._preparations.call_off(run)

    async def start(self, run: RunRecord, effect: StartAttempt) -> None:
        """Start the attempt and tell what becomes of it. Raises OSError."""
        ready = await self._preparations.of(run, effect)
        try:
            child, choice = await process_of(self._parts.warm, ready.start)
        except BaseException:
            ready.close()
            self._parts.limits.discard(ready.spec.group)
            raise
        finally:
            ready.passed()
        own, policy = run.wish.policy.memory_limit, self._limits.policy(run)
        name, number, group = run.wish.location, effect.number, ready.spec.group
        live = LiveAttempt(run.id, number, child, ready.events, group, name, own, policy)
        live.lease = ready.lease
        started = AttemptStarted(child.pid, choice.method, choice.why)
        self._parts.children.hold(child.pid, _record(live, started))
        ready.go.say()  # not before the next daemon would find it
        self.keeper.tell(run.id, started)
        self._watch(live)

    # --- while they live ------------------------------------------------------------------------

    def signal(self, run: RunRecord, how: Literal["terminate", "kill"]) -> None:
        """To the newest attempt; nothing where that has ended."""
        live = self._live.get(run.id)
        if live is not None:
            live.signal(how)

    def kill(self) -> None:
        """End all at once."""
        for live in self._live.values():
            live.signal("kill")

    def look(self, run: RunRecord) -> AttemptFiles:
        """What the files of the newest attempt show; one that was left running lives, though it may
        not have come to its lock yet. Blocks."""
        number = len(run.attempts)
        lives = self._parts.left.has(run.id, number)
        files = self._folders.of_runs.look(run.id, number)
        return replace(files, lives=files.lives or lives)

    async def adopt(self, run: RunRecord) -> None:
        """Watch an attempt that an earlier daemon started: its end is told as of any other."""
        number, name = len(run.attempts), run.wish.location
        left = self._parts.left.take(run.id, number)
        if left is None:
            self._watch_lock(run.id, number, name)
            return
        known = left.record
        started = AttemptStarted(left.child.pid, known["start_method"], known["start_why"])
        self.keeper.tell(run.id, started)  # its daemon may have died before that was in the book
        events: int | None = None
        with contextlib.suppress(OSError):  # it tells no more, but leaves its result
            events = opened_fifo(self._folders.of_runs.events(run.id, number))
        own, former = run.wish.policy.memory_limit, _limits_in(known)
        group = known["group"]
        self._watch(LiveAttempt(run.id, number, left.child, events, group, name, own, former))

    def _watch_lock(self, run: RunId, number: int, name: str) -> None:
        """Of a process that no holder kept: its lock alone tells that it lives."""
        self._live[run] = locked = LockedAttempt(self._folders.of_runs.of(run), number, name)
        if (pid := locked.pid) is not None:
            self.keeper.tell(run, AttemptStarted(pid, None))
        self._begin(self._until_free(run, locked))

    async def _until_free(self, run: RunId, locked: LockedAttempt) -> None:
        await locked.gone()
        await self._ended(run, locked.number, locked.location, Exit())

    def _watch(self, live: LiveAttempt) -> None:
        """Hear what it tells, hold it to its limits, and notice its end."""
        self._live[live.run] = live
        pipe = None
        if live.events is not None:
            pipe = EventsRead(live.events, partial(self._told, live))
            pipe.begin()
        self._limits.hold(live, partial(self.keeper.tell, live.run))
        live.child.exited.add_done_callback(lambda end: self._exited(live, pipe, end.result()))

    def _told(self, live: LiveAttempt, document: Mapping[str, Any]) -> None:
        if document["event"] == "result" and document.get("stored") is False:
            live.summary = f"its result could not be stored: {document.get('problem')}"
        if document["event"] == "loaded":  # nothing is in the way of its code any more
            self._parts.warm.expect_run(live.location, at_once=False)
        self.keeper.told(live.run, live.number, document)

    # --- ends -----------------------------------------------------------------------------------

    def _exited(self, live: LiveAttempt, pipe: EventsRead | None, end: Exit) -> None:
        if pipe is not None:
            pipe.finish()  # what it hears comes before what is told below
        if live.lease is not None:
            live.lease.close()
        self._limits.ended(live, end, partial(self.keeper.tell, live.run))
        self._begin(self._ended(live.run, live.number, live.location, end, live.summary))

    async def _ended(
        self, run: RunId, number: int, name: str, end: Exit, summary: str | None = None
    ) -> None:
        files = await self._looked(run, number)
        if files.lives and end.status == REFUSED:  # another process has it, of an earlier daemon
            self._watch_lock(run, number, name)
            return
        found = None
        if files.begun and files.result is None and end != Exit():
            found = await self._met(run, number, name, end)
        with contextlib.suppress(OSError):
            self._folders.of_runs.events(run, number).unlink(missing_ok=True)
        self._live.pop(run, None)
        self._parts.outputs.ended(run)
        tell = partial(self.keeper.tell, run)
        if end == Exit() and files.begun and files.result is None:
            tell(AttemptLost())
        elif found is None:
            damage = files.damage if end.signal is None else None
            tell_end(tell, files, end, summary or damage)
        else:
            summary = summary or files.damage or found.summary
            problem = {"kind": "run", "summary": summary, "detail": found.detail}
            tell_end(tell, files, end, summary, problem)

    async def _looked(self, run: RunId, number: int) -> AttemptFiles:
        """Waits for a thread, if there is none to be had: else the run would never end."""
        while True:
            try:
                return await asyncio.to_thread(self._folders.of_runs.look, run, number)
            except RuntimeError as error:
                if not shortage(error):
                    raise
            await asyncio.sleep(AGAIN)

    async def _met(self, run: RunId, number: int, name: str, end: Exit) -> Problem:
        """Why it ended in user code without a result, as far as what it printed last shows."""
        texts: list[str] = []
        with contextlib.suppress(OSError, RuntimeError):  # the reason is told without them
            _, read = self._parts.outputs.logs.reading([str(run)], LogQuery(LAST_LINES))
            lines, _ = await asyncio.to_thread(read)
            texts = [line.text for line in lines if line.generation == number]
        location = self._parts.locations.get(name)
        folder = Path("/") if location is None else location.spec.working_directory
        return problems.of_exit(end, False, texts, time.time(), folder, "its process")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _record(live: LiveAttempt, started: AttemptStarted) -> Mapping[str, Any]:
    """What the next daemon gets to know."""
    return {
        "kind": RUN,
        "run": live.run,
        "attempt": live.number,
        "of": live.location,
        "group": live.group,
        "memory_limit": live.former.memory_limit,
        "tasks_limit": live.former.tasks_limit,
        "start_method": started.start_method,
        "start_why": started.start_why,
    }


def _limits_in(record: Mapping[str, Any]) -> Policy:
    return Policy(memory_limit=record["memory_limit"], tasks_limit=record["tasks_limit"])
