"""Makes what the process of an attempt starts with, on other threads: folders, pipes, its order.

Where a run may start at once that is done while its record is being written: nothing of it is there
for the attempt until its process is started, and it is removed again where that never is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from codelocd.daemon.runs.attempts import AttemptStarter, CodeOfRun
from codelocd.daemon.runs.event_pipe import GoAhead, made_fifo
from codelocd.process.child import shielded
from codelocd.runners.api import RunnerSpec
from codelocd.runners.attempts import AttemptPipes, AttemptStart

if TYPE_CHECKING:
    from codelocd.daemon.location import Leases
    from codelocd.daemon.runs.folders import AttemptFolders
    from codelocd.daemon.runs.live import AttemptLimits
    from codelocd.daemon.runs.local_attempts import AttemptParts
    from codelocd.daemon.runs.served import LocationCode, ServedCodes
    from codelocd.runs.events import StartAttempt
    from codelocd.runs.model import RunId, RunRecord


@dataclass(frozen=True, slots=True)
class ReadyAttempt:
    """All that a start needs. `events`: the reading end of the FIFO, whose other end is in the
    pipes of `start`."""

    start: AttemptStart
    lease: Leases
    events: int
    go: GoAhead

    @property
    def spec(self) -> RunnerSpec:
        return self.start.spec

    def passed(self) -> None:
        """The process has its ends of the pipes, or never will."""
        if self.start.pipes.events is not None:
            os.close(self.start.pipes.events)
        self.go.passed()

    def close(self) -> None:
        """There is no process."""
        os.close(self.events)
        self.go.close()
        self.lease.close()


class AttemptPreparations:
    """Those of one daemon. Of the loop's thread."""

    def __init__(
        self,
        parts: AttemptParts,
        folders: AttemptFolders,
        codes: ServedCodes,
        limits: AttemptLimits,
    ) -> None:
        self._parts = parts
        self._folders = folders
        self._codes = codes
        self._limits = limits
        self._early: dict[RunId, asyncio.Task[ReadyAttempt]] = {}
        self._undoing: dict[RunId, asyncio.Task[None]] = {}

    def begin(self, run: RunRecord, effect: StartAttempt) -> None:
        """For a new run, whose record is on its way into the book."""
        made = self._made(run, effect, self._undoing.get(run.id), is_new=True)
        self._early[run.id] = asyncio.get_running_loop().create_task(made)

    def call_off(self, run: RunId) -> None:
        """Nothing starts after all: the book does not have the run, and its number may be that of
        another one soon; or it waits."""
        if (early := self._early.pop(run, None)) is not None:
            task = asyncio.get_running_loop().create_task(self._undo(run, early))
            self._undoing[run] = task
            task.add_done_callback(partial(self._undone, run))

    async def of(self, run: RunRecord, effect: StartAttempt) -> ReadyAttempt:
        """The caller closes it where there is no process. Raises OSError."""
        early = self._early.pop(run.id, None)
        making = early or self._made(run, effect, self._undoing.get(run.id), is_new=False)
        try:
            return await shielded(making, self._discard)
        except FileNotFoundError:  # the folder with the code was removed: the next try has it
            self._codes.ask_again(run.wish.location)
            raise

    def _discard(self, ready: ReadyAttempt) -> None:
        ready.passed()
        ready.close()
        self._parts.limits.discard(ready.spec.group)

    def _undone(self, run: RunId, task: asyncio.Task[None]) -> None:
        if self._undoing.get(run) is task:
            del self._undoing[run]

    async def _undo(self, run: RunId, early: asyncio.Task[ReadyAttempt]) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: no thread is to be had
            self._discard(await early)
            await asyncio.to_thread(self._folders.of_runs.remove, run)

    async def _made(
        self,
        run: RunRecord,
        effect: StartAttempt,
        undoing: asyncio.Task[None] | None,
        *,
        is_new: bool,
    ) -> ReadyAttempt:
        """`undoing`: removes what was made for another one of that number. Raises OSError."""
        if undoing is not None:
            await asyncio.wait([undoing])
        name = run.wish.location
        served = self._codes.of_generation(name, run.generation)
        if served is None:
            raise OSError(self._codes.why_none(name))
        self._parts.warm.expect_run(name, at_once=True)
        told = self._limits.told(served.order, run)
        try:
            ordered = replace(served, order=told)
            return await asyncio.to_thread(self._ready, run, effect, ordered, is_new=is_new)
        except BaseException:
            self._parts.limits.discard(told.group)
            raise

    def _ready(
        self, run: RunRecord, effect: StartAttempt, served: LocationCode, *, is_new: bool
    ) -> ReadyAttempt:
        """Blocks. Raises OSError."""
        spec, who, number = served.spec, served.order.account, effect.number
        if not served.order.working_directory.is_dir():
            raise OSError(f"the working directory {served.order.working_directory} does not exist")
        code = CodeOfRun(
            self._folders.make_values(spec.name, run.wish.repository, who),
            self._folders.make_code(who),
            self._codes.manifest(run.manifest),
        )
        folders = self._folders.of_runs
        if is_new and os.path.lexists(folders.of(run.id)):
            folders.remove(run.id)  # of one that a daemon was killed over: no book knows it
        self._folders.make_run(folders.of(run.id), who)
        output = self._parts.outputs.of(run.id, number, spec.name)
        order, lease = self._parts.processes.prepared(served, output)
        with contextlib.ExitStack() as undo:
            undo.callback(lease.close)
            go = GoAhead()
            undo.callback(go.close)
            reading, writing = made_fifo(folders.events(run.id, number))
            undo.callback(os.close, reading)
            undo.callback(os.close, writing)
            starter = AttemptStarter(self._parts.warm, folders, self._parts.children.life)
            start = starter.ordered(run, effect, order, code, AttemptPipes(writing, go.reading))
            undo.pop_all()
        return ReadyAttempt(start, lease, reading, go)
