"""Starts the process of an attempt, and tells how it ended: with and without a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codeloc_envs.files import replace_text
from codelocd.model import Exit
from codelocd.process.child import Child, shielded
from codelocd.runners.api import RunnerSpec
from codelocd.runners.attempts import AttemptPipes, AttemptStart, process_part
from codelocd.runners.warm.launcher import WarmLauncher
from codelocd.runners.warm.method import MethodChoice
from codelocd.runs.dagster import how_ended, telling
from codelocd.runs.encoding import order_part, report_part
from codelocd.runs.events import (
    AttemptEnded,
    RunEvent,
    StartAttempt,
    TellDagster,
    UserCodeBegun,
)
from codelocd.runs.folder import AttemptFiles, RunFolders
from codelocd.runs.model import RunId, RunRecord, UnsaidEnd


@dataclass(frozen=True, slots=True)
class CodeOfRun:
    """What an attempt executes, and where it stores values. `folder` has the texts of the
    `manifest`; both None: what is on the disk."""

    values: Path
    folder: Path | None = None
    manifest: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AttemptStarter:
    """Starts processes of attempts in the folders of their runs. `life`: of `process_part`."""

    warm: WarmLauncher
    folders: RunFolders
    life: int | None = None

    async def start(
        self,
        run: RunRecord,
        effect: StartAttempt,
        spec: RunnerSpec,
        code: CodeOfRun,
        pipes: AttemptPipes,
    ) -> tuple[Child, MethodChoice]:
        """The process, and how it was started. Raises OSError."""
        start = self.ordered(run, effect, spec, code, pipes)
        return await process_of(self.warm, start)

    def ordered(
        self,
        run: RunRecord,
        effect: StartAttempt,
        spec: RunnerSpec,
        code: CodeOfRun,
        pipes: AttemptPipes,
    ) -> AttemptStart:
        """What starts it: its order is in its folder then. Raises OSError."""
        order = {
            **order_part(run, effect.done),
            **process_part(spec, pipes, self.life),
            "values": str(code.values),
            "code": None if code.folder is None else str(code.folder),
            "manifest": code.manifest,
        }
        path = self.folders.write_order(run.id, effect.number, order, spec.account)
        return AttemptStart(spec, path, pipes)


async def process_of(warm: WarmLauncher, start: AttemptStart) -> tuple[Child, MethodChoice]:
    """The process, and how it was started. It ends where the caller is cancelled before it has it.
    Raises OSError."""
    return await shielded(warm.attempt(start), lambda made: made[0].kill())


async def start_report(
    warm: WarmLauncher, folders: RunFolders, run: RunId, effect: TellDagster, spec: RunnerSpec
) -> Child:
    """A process that tells Dagster how an attempt ended; its order is in the folder that `folders`
    has for the run. Raises OSError."""
    order = {**report_part(effect), **process_part(spec)}
    path = await asyncio.to_thread(folders.write_order, run, effect.end.number, order, spec.account)
    start = AttemptStart(spec, path)
    child, _ = await process_of(warm, start)
    return child


def order_when_killed(
    warm: WarmLauncher, folders: RunFolders, run: RunRecord, spec: RunnerSpec, folder: Path
) -> Path:
    """The order for the guardian of this process: `folder` is removed, after Dagster has been told
    of the attempt of the `run`, if that is one of Dagster's. In a file in the folder. Raises
    OSError."""
    command = None
    if run.dagster_run is not None:
        end = UnsaidEnd(len(run.attempts), run.dagster_run, KILLED, cancelled=False)
        (effect,) = telling(run, (end,))
        told = {**report_part(effect), **process_part(spec), "parent": None}
        command = warm.command(AttemptStart(spec, folders.write_order(run.id, REPORT, told)))
    order = {
        "command": command,
        "variables": dict(spec.variables),
        "directory": str(spec.working_directory),
        "folder": str(folder),
    }
    path = folder / "when-killed.json"
    replace_text(path, json.dumps(order))
    return path


KILLED = "codelocd: its process ended together with the command that ran it"
REPORT = 0
"""In place of the number of an attempt."""
REPORT_SECONDS = 60.0
"""For Dagster to be told: a second where Dagster is imported already."""


async def reported(child: Child) -> str | None:
    """Returns when the process of a report has ended; why Dagster may not know."""
    if not await child.gone(REPORT_SECONDS):
        child.kill()
        return f"it took longer than {REPORT_SECONDS:g} s"
    end = await child.exited
    return None if end.status == 0 else f"its process ended{how_ended(end.status, end.signal)}"


def tell_end(
    tell: Callable[[RunEvent], None],
    files: AttemptFiles,
    end: Exit,
    summary: str | None = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """The process is gone, and has left these files. `summary`, `problem`: why, where that is
    known."""
    if files.begun:
        tell(UserCodeBegun())  # where the pipe did not say so
    tell(AttemptEnded(end.status, end.signal, files.begun, files.result, summary, problem))


def signal_attempt(
    child: Child, how: Literal["terminate", "kill"], number: signal.Signals = signal.SIGTERM
) -> None:
    """`terminate`: `number` to its process, which a signal may have stopped. `kill`: all of it."""
    if child.exited.done():
        return
    if how == "kill":
        child.kill()
        return
    child.look_at_family()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(child.pid, number)
    child.resume()
