"""Runs Dagster's definitions on Dagster's own instance, with the Dagster that user code imported.

The run is recorded before its first step, linked to its job and location as one that Dagster has
launched. Dagster's own events are what is stored; an attempt tells them as its own, too.
"""

from __future__ import annotations

import os
import re
from _signal import (  # type: ignore[import-not-found]
    SIG_BLOCK,
    SIG_UNBLOCK,
    SIGINT,
    SIGTERM,
    pthread_sigmask,
)

from ..load.exceptions import message
from ..load.sources import imported
from ..process import say
from . import dagster_releases as releases
from .cancelling import cancellation
from .dagster_choice import chosen_run
from .dagster_launched import launched_run
from .dagster_storage import remember
from .dagster_wishes import CancelWatch, mark_when_interrupted, note_interrupts
from .native import UsageFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Union

    from .cancelling import CancelGuard
    from .dagster_choice import ChosenRun
    from .dagster_events import DagsterSteps
    from .dagster_launched import LaunchedRun
    from .loading import ProcessCode
    from .order import AttemptOrder

    AnyRun = Union[ChosenRun, LaunchedRun]

REFUSALS = (
    "DagsterInvalidConfigError",
    "DagsterInvalidDefinitionError",
    "DagsterInvalidInvocationError",
    "DagsterInvalidSubsetError",
    "DagsterInvariantViolationError",
    "DagsterUnknownPartitionError",
    "ParameterCheckError",
)
"""What Dagster raises of a run that cannot be as it was asked for, before any of it runs."""
TRACES = re.compile(r"\n\s*Stack Trace:\n.*?(?=\n {4}Error \d|\Z)", re.DOTALL)
"""Of Dagster's own lines, in a message that says what is wrong already."""
DELETED = "Dagster's record of it was deleted while it went on"
UNSEEN = "codelocd: its process ended without an end of the run"


def ended(
    state: str, why: Optional[str] = None, problem: Optional[Dict[str, Any]] = None
) -> Dict[str, Any]:
    """What came of it, as a result has it."""
    summary = None if problem is None else problem["summary"]
    return {"state": state, "why": why, "summary": summary, "problem": problem}


def run(
    code: ProcessCode, order: AttemptOrder, steps: DagsterSteps, guard: CancelGuard
) -> Dict[str, Any]:
    """The result's `state`, `why`, `summary` and `problem`. Raises UsageFailure before anything of
    it runs, and what Dagster raises."""
    if order.params:
        raise UsageFailure("a run of Dagster's takes its parameters as a run config: --run-config")
    execution = DagsterExecution(order, steps, guard)
    releases.quieten_console()
    remember()
    with releases.instance_opened() as instance:
        made = launched_run if order.launched else chosen_run
        chosen: AnyRun = guard.call(lambda: refused_in_a_line(lambda: made(code, order, instance)))
        guard.hear_interrupts()
        note_interrupts(guard)
        interrupts: Any = imported("dagster._utils.interrupts")
        with interrupts.capture_interrupts():
            if guard.cancelled:
                raise cancellation()
            return execution.carried_out(chosen, instance)


def refused_in_a_line(function: Any) -> Any:
    """Its result. Raises UsageFailure for what Dagster refuses."""
    try:
        return function()
    except UsageFailure:
        raise
    except Exception as error:
        if any(base.__name__ in REFUSALS for base in type(error).__mro__):
            raise UsageFailure(TRACES.sub("", message(error))[:4000].strip()) from None
        raise


class DagsterExecution:
    """One run of Dagster's, from its record on."""

    def __init__(self, order: AttemptOrder, steps: DagsterSteps, guard: CancelGuard) -> None:
        self._order = order
        self._steps = steps
        self._guard = guard

    def carried_out(self, chosen: AnyRun, instance: Any) -> Dict[str, Any]:
        """Interrupts are Dagster's to hear."""
        made = refused_in_a_line(lambda: chosen.recorded(instance, self._order))
        self._steps.recorded(made.run_id)
        self._steps.planned(chosen.plan, chosen.reconstructable.get_definition)
        mark_when_interrupted(instance, made.run_id, self._guard)
        watch = CancelWatch(instance, made.run_id, self._guard)
        try:
            instance.report_engine_event(f"codelocd runs it in process {os.getpid()}.", made)
            self._guard.end(lambda: self._executed(chosen, made, instance))
        finally:
            watch.stop()
            end = self._end_of(made, instance, watch.marked)
        return end

    def _executed(self, chosen: AnyRun, made: Any, instance: Any) -> None:
        """An interrupt while an event is being told is Dagster's, too."""
        api: Any = imported("dagster._core.execution.api")
        interrupted: Any = imported("dagster._core.errors").DagsterExecutionInterruptedError
        events = api.execute_run_iterator(chosen.reconstructable, made, instance)
        raised: Optional[BaseException] = None
        while True:
            try:
                event = next(events) if raised is None else events.throw(raised)
                raised = None
                self._hear(event)
            except StopIteration:
                return
            except interrupted as error:
                if events.gi_frame is None:
                    raise
                raised = error

    def _hear(self, event: Any) -> None:
        pthread_sigmask(SIG_BLOCK, {SIGINT, SIGTERM})
        try:
            self._steps.hear(event)
        finally:
            pthread_sigmask(SIG_UNBLOCK, {SIGINT, SIGTERM})

    def _end_of(self, made: Any, instance: Any, marked: Optional[str]) -> Dict[str, Any]:
        """By what Dagster has stored; a run that has no end there gets one. `marked`: as what it
        was marked while it went on."""
        found = instance.get_run_by_id(made.run_id)
        if found is None:
            end = self._told_end("FAILURE", marked)
            return end if end["state"] == "cancelled" else {**end, "summary": DELETED}
        status = found.status.value
        if not found.is_finished:
            if status == "CANCELING":
                instance.report_run_canceled(found, UNSEEN)
                status = "CANCELED"
            else:
                instance.report_run_failed(found, UNSEEN)
                status = "FAILURE"
        return self._told_end(status, marked)

    def _told_end(self, status: str, marked: Optional[str]) -> Dict[str, Any]:
        steps = self._steps
        steps.finish(status == "CANCELED")
        if status == "CANCELED":
            return ended("cancelled")
        if status == "SUCCESS":
            failed = steps.has_failed_checks
            return ended("failed", "check") if failed else ended("succeeded")
        if self._guard.cancelled and marked is None:
            return ended("cancelled")
        is_told = any(step["state"] == "failed" for step in steps.steps)
        if steps.failure is not None and not is_told:
            say(steps.failure["detail"])
            return ended("failed", "exception", steps.failure)
        only_checks = not is_told and steps.has_failed_checks
        return ended("failed", "check" if only_checks else "exception")
