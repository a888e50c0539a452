"""What a run of Dagster's is called there, and when Dagster has to be told how it ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from codelocd.runs.events import AttemptEnded, AttemptLost, RunEvent, TellDagster
from codelocd.runs.model import RunRecord, RunState, UnsaidEnd

DAGSTER = "dagster"
"""The loader of a location that has Dagster's definitions."""


def unfit_config(
    loader: str, params: Mapping[str, Any], config: Mapping[str, Any] | None
) -> str | None:
    """Why a run of a location with that loader cannot have these; None: it can."""
    if loader == DAGSTER and params:
        return "a run of Dagster's has no parameters: it takes a run config, with --run-config"
    if loader != DAGSTER and config is not None:
        return "a run config is Dagster's: give the run its parameters, with --param"
    return None


def dagster_run_id(uuid: str, attempt: int) -> str:
    """Known before the attempt starts, whatever becomes of its process. `uuid`: of the run."""
    return str(uuid5(NAMESPACE_OID, f"codelocd {uuid} {attempt}"))


def named_there(run: RunRecord, attempt: int) -> str:
    """What Dagster calls that attempt."""
    return run.wish.dagster_run or dagster_run_id(run.uuid, attempt)


def repeated_there(run: RunRecord) -> str | None:
    """What Dagster calls the attempt or run that the newest one repeats; None: neither."""
    count = len(run.attempts)
    return named_there(run, count - 1) if count > 1 else run.wish.dagster_parent


def telling(run: RunRecord, ends: tuple[UnsaidEnd, ...]) -> tuple[TellDagster, ...]:
    """What is to be done about ends of attempts of the run."""
    return tuple(TellDagster(run.wish.location, run.wish.repository, end) for end in ends)


def unsaid_end(run: RunRecord, after: RunRecord, event: RunEvent) -> tuple[UnsaidEnd, ...]:
    """Of an attempt that ended without a result: Dagster may still take it for one that goes on.
    `run`, `after`: as it was before the event, and is."""
    if run.wish.dagster_run is not None:
        return _unsaid_of_launched(after, event)
    attempt = run.attempt
    if run.dagster_run is None or attempt is None or run.state is RunState.QUEUED:
        return ()
    if isinstance(event, AttemptEnded):
        if event.result is not None or not event.begun:
            return ()
        text = event.summary or f"its process ended{how(event)}"
    elif isinstance(event, AttemptLost):
        text = "its process ended together with its daemon"
    else:
        return ()
    if run.stopping == "timeout":
        text = f"it took longer than its timeout; {text}"
    cancelled = run.stopping in ("cancel", "shutdown")
    return (UnsaidEnd(attempt.number, run.dagster_run, f"codelocd: {text}", cancelled),)


def _unsaid_of_launched(run: RunRecord, event: RunEvent) -> tuple[UnsaidEnd, ...]:
    """Dagster has a record of it from the beginning, also where no attempt has seen that."""
    if not run.state.is_final:
        return ()
    result = event.result if isinstance(event, AttemptEnded) else None
    if result is not None and result.get("dagster_run") is not None:
        return ()
    text = run.summary or {
        RunState.CANCELLED: "it was cancelled",
        RunState.LOST: "its process ended together with its daemon",
    }.get(run.state, "its process ended")
    named, cancelled = str(run.wish.dagster_run), run.state is RunState.CANCELLED
    return (UnsaidEnd(len(run.attempts), named, f"codelocd: {text}", cancelled),)


def how_ended(exit_status: int | None, signal: int | None) -> str:
    """The end of a process, as what follows a verb."""
    if signal is not None:
        return f" by signal {signal}"
    return "" if exit_status is None else f", with status {exit_status}"


def how(event: AttemptEnded) -> str:
    return how_ended(event.exit, event.signal)
