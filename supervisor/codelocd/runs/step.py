"""Decides what a run does next: `step(run, event, now) -> (run, effects)`. Pure.

An event that does not fit the state of a run is late, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from codelocd.runs.dagster import how, named_there, telling, unsaid_end
from codelocd.runs.events import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    CancelAsked,
    CheckTold,
    DagsterTold,
    KillAsked,
    MemoryExceeded,
    Moment,
    MomentReached,
    PlanTold,
    RunAdmitted,
    RunEffect,
    RunEvent,
    SignalAttempt,
    StartAttempt,
    StartFailed,
    StepTold,
    UserCodeBegun,
)
from codelocd.runs.model import (
    Deadlines,
    Reason,
    RunAttempt,
    RunRecord,
    RunState,
    StepDocument,
    Stopping,
    is_same_step,
)
from codelocd.runs.policy import retry_delay

Stepped: TypeAlias = tuple[RunRecord, tuple[RunEffect, ...]]

FALSE_STARTS = 3
"""Processes that ended before any user code, until that is a failure of the run."""
TRANSIENT_SECONDS = 1.0
"""Before a start that the machine had no room for is tried again."""
_RESULTS = (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)
FINAL = {each.value: each for each in _RESULTS}
REASONS: frozenset[Reason] = frozenset(
    ("exception", "check", "load", "usage", "upstream", "memory")
)
"""Those that a result may have."""
HOPELESS: frozenset[Reason] = frozenset(("usage", "upstream", "load"))
"""The same code would fail in the same way."""


def step(run: RunRecord, event: RunEvent, now: Moment) -> Stepped:
    """The run after the event, and what is to be done."""
    if isinstance(event, DagsterTold):  # mostly of one that has ended
        return replace(run, untold=tuple(each for each in run.untold if each != event.end)), ()
    if run.state.is_final:
        return run, ()
    handler: Callable[[RunRecord, Any, Moment], Stepped] = _HANDLERS[type(event)]
    after, effects = handler(run, event, now)
    ends = unsaid_end(run, after, event)
    after = replace(after, untold=after.untold + ends) if ends else after
    return after, (*effects, *telling(after, ends))


# --- starts ------------------------------------------------------------------------------------


def _admitted(run: RunRecord, event: RunAdmitted, now: Moment) -> Stepped:
    if run.state is not RunState.QUEUED or now.clock < (run.deadlines.retry or now.clock):
        return run, ()
    last = run.attempt
    if last is not None and last.state is RunState.STARTING:  # it never began: the same again
        attempts = (*run.attempts[:-1], replace(last, pid=None, ended=None))
    else:
        attempts = (*run.attempts, RunAttempt(number=len(run.attempts) + 1))
    started = replace(
        run,
        state=RunState.STARTING,
        started=run.started or now.at,
        began=now.clock if run.started is None else run.began,
        boot=now.boot,
        attempts=attempts,
        generation=event.generation,
        manifest=event.manifest,
        environment=event.environment,
        dagster_run=named_there(run, len(attempts)) if event.is_dagsters else None,
        deadlines=Deadlines(),
        retry_at=None,
    )
    return started, (StartAttempt(attempts[-1].number, run.done),)


def _started(run: RunRecord, event: AttemptStarted, now: Moment) -> Stepped:
    """Of one that is adopted this may come after its user code has begun."""
    if run.state is RunState.QUEUED or run.attempt is None or run.attempt.pid is not None:
        return run, ()
    how = {"start_method": event.start_method, "start_why": event.start_why}
    return run.with_attempt(pid=event.pid, started=now.at, began=now.clock, **how), _again(run)


def _again(run: RunRecord) -> tuple[RunEffect, ...]:
    """What was asked for before there was a process: to end or, as its time for that is over, to be
    killed."""
    if run.stopping is None or run.attempt is None:
        return ()
    is_over = run.deadlines.kill is None
    return (SignalAttempt(run.attempt.number, "kill" if is_over else "terminate"),)


def _start_failed(run: RunRecord, event: StartFailed, now: Moment) -> Stepped:
    if run.state is not RunState.STARTING:
        return run, ()
    if run.stopping is not None:
        return _stopped(run, now), ()
    if event.transient:
        return _requeued(run, now, TRANSIENT_SECONDS), ()
    return _false_start(run, now, event.summary), ()


def _false_start(run: RunRecord, now: Moment, summary: str) -> RunRecord:
    count = (run.attempt.false_starts if run.attempt else 0) + 1
    run = run.with_attempt(false_starts=count, summary=summary)
    if count >= FALSE_STARTS:
        return _failed(run, now, "load", summary)
    return _requeued(run, now, TRANSIENT_SECONDS)


def _requeued(run: RunRecord, now: Moment, seconds: float) -> RunRecord:
    deadlines = Deadlines(retry=now.clock + seconds)
    return replace(run, state=RunState.QUEUED, deadlines=deadlines, retry_at=now.at + seconds)


# --- while it runs -----------------------------------------------------------------------------


def _begun(run: RunRecord, event: UserCodeBegun, now: Moment) -> Stepped:
    if run.state is not RunState.STARTING:
        return run, ()
    timeout = run.wish.policy.timeout
    deadlines = run.deadlines
    if timeout is not None and run.stopping is None and deadlines.attempt is None:
        deadlines = replace(deadlines, attempt=now.clock + timeout)
    run = run.with_attempt(state=RunState.RUNNING)
    return replace(run, state=RunState.RUNNING, deadlines=deadlines), ()


def _planned(run: RunRecord, event: PlanTold, now: Moment) -> Stepped:
    return replace(run, step_timeouts=dict(event.timeouts)), ()


def _step_told(run: RunRecord, event: StepTold, now: Moment) -> Stepped:
    if run.state is not RunState.RUNNING:
        return run, ()
    told = event.document
    name = told["name"]
    known = next((each for each in run.steps if is_same_step(each, told)), {})
    steps = run.with_step({"checks": [], **_kept(known), **told}).steps
    deadline = None
    if told["state"] == "started" and name in run.step_timeouts and run.stopping is None:
        deadline = now.clock + run.step_timeouts[name]
    return replace(run, steps=steps, deadlines=replace(run.deadlines, step=deadline)), ()


def _kept(known: StepDocument) -> StepDocument:
    """A step that starts again leaves its checks behind."""
    return known if known.get("state") == "started" else {}


def _check_told(run: RunRecord, event: CheckTold, now: Moment) -> Stepped:
    found = next((each for each in run.steps if each["name"] == event.asset), None)
    if found is None or run.state is not RunState.RUNNING:
        return run, ()
    checked = {**found, "checks": [*found["checks"], dict(event.document)]}
    return run.with_step(checked), ()


# --- ends that are asked for -------------------------------------------------------------------


def _cancel_asked(run: RunRecord, event: CancelAsked, now: Moment) -> Stepped:
    stopping: Stopping = "shutdown" if event.shutdown else "cancel"
    if run.state is RunState.QUEUED:
        if event.shutdown:  # it stays in the queue, on disk
            return run, ()
        stopped = _stopped(replace(run, stopping=stopping), now)
        return replace(stopped, summary=event.summary), ()
    if run.stopping == "shutdown" and stopping == "cancel":
        return replace(run, stopping=stopping), ()
    return _ending(run, stopping, now)


def _ending(run: RunRecord, stopping: Stopping, now: Moment) -> Stepped:
    """Ask the attempt to end, once, and set the moment at which it is killed."""
    if run.stopping is not None or run.attempt is None:
        return run, ()
    kill = now.clock + run.wish.policy.stop_timeout
    ended = replace(run, stopping=stopping, deadlines=Deadlines(kill=kill))
    if run.attempt.pid is None:  # it is told as soon as it is there
        return ended, ()
    return ended, (SignalAttempt(run.attempt.number, "terminate"),)


def _kill_asked(run: RunRecord, event: KillAsked, now: Moment) -> Stepped:
    run, _ = _cancel_asked(run, CancelAsked(event.shutdown), now)
    if run.attempt is None or run.state.is_final or run.state is RunState.QUEUED:
        return run, ()
    return _killed(run)


def _killed(run: RunRecord) -> Stepped:
    """At once, or as soon as its process is there."""
    assert run.attempt is not None
    killed = replace(run, deadlines=replace(run.deadlines, kill=None))
    return killed, (SignalAttempt(run.attempt.number, "kill"),) if run.attempt.pid else ()


def _memory_exceeded(run: RunRecord, event: MemoryExceeded, now: Moment) -> Stepped:
    """There is no time to ask: what the machine lacks, others lack, too."""
    if run.attempt is None or run.state is RunState.QUEUED:
        return run, ()
    if run.stopping is None:
        run = replace(run, stopping="memory").with_attempt(summary=event.summary)
    return replace(run, deadlines=Deadlines()), (SignalAttempt(len(run.attempts), "kill"),)


def _moment_reached(run: RunRecord, event: MomentReached, now: Moment) -> Stepped:
    deadlines = run.deadlines
    if run.attempt is None or run.state is RunState.QUEUED:
        return run, ()
    if deadlines.kill is not None and now.clock >= deadlines.kill:
        return _killed(run)
    due = [each for each in (deadlines.attempt, deadlines.step) if each is not None]
    if any(now.clock >= each for each in due):
        return _ending(run, "timeout", now)
    return run, ()


# --- ends --------------------------------------------------------------------------------------


def _ended(run: RunRecord, event: AttemptEnded, now: Moment) -> Stepped:
    if run.attempt is None or run.state is RunState.QUEUED:
        return run, ()
    now = now.before(event.ago)
    begun = event.begun or run.state is RunState.RUNNING  # its folder may have been removed
    run = run.with_attempt(exit=event.exit, signal=event.signal, problem=event.problem)
    if event.result is not None:
        return _resulted(run, event.result, now), ()
    if run.stopping == "shutdown" and not begun:  # the next daemon starts it
        return _requeued(replace(run, stopping=None), now, 0.0), ()
    if run.stopping is not None:
        return _stopped(run, now), ()
    if not begun:
        return _false_start(run, now, f"its process ended before any user code{how(event)}"), ()
    summary = event.summary or f"its process ended{how(event)}"
    if event.signal is not None:
        return _failed(run, now, "signal", summary), ()
    if event.exit is not None:
        return _failed(run, now, "exit", summary), ()
    return _lost(run, AttemptLost(), now)


def _resulted(run: RunRecord, result: Any, now: Moment) -> RunRecord:
    """The result is the truth: of steps, and of the end; but what was stopped did not fail."""
    told = {(each["kind"], each["name"]): each for each in result.get("steps") or ()}
    former = [each for each in run.steps if (each["kind"], each["name"]) not in told]
    run = replace(run, steps=(*former, *told.values())).with_result(result)
    state = FINAL[result["state"]]
    if state is RunState.SUCCEEDED:
        return _finished(run, now, state)
    if run.stopping is not None:
        return _stopped(run, now)
    if state is RunState.CANCELLED:  # a signal that the daemon did not send
        return _finished(run, now, state)
    why = result.get("why")
    reason: Reason = why if why in REASONS else "exception"
    return _failed(run, now, reason, result.get("summary"))


def _lost(run: RunRecord, event: AttemptLost, now: Moment) -> Stepped:
    if run.attempt is None:
        return run, ()
    if run.stopping in ("cancel", "shutdown"):
        return _stopped(run, now), ()
    run = _attempt_over(run, now, state=RunState.LOST)
    return _retried(run, now) or _finished(run, now, RunState.LOST), ()


def _stopped(run: RunRecord, now: Moment) -> RunRecord:
    """The end of what was asked to end."""
    if run.stopping == "timeout":
        return _failed(run, now, "timeout", "it took longer than its timeout")
    if run.stopping == "memory":
        return _failed(run, now, "memory", run.attempt.summary if run.attempt else None)
    why: Reason | None = "shutdown" if run.stopping == "shutdown" else None
    return replace(_finished(run, now, RunState.CANCELLED), why=why)


def _failed(run: RunRecord, now: Moment, why: Reason, summary: str | None) -> RunRecord:
    run = _attempt_over(run, now, state=RunState.FAILED, why=why, summary=summary)
    again = None if why in HOPELESS else _retried(run, now)
    return again or replace(_finished(run, now, RunState.FAILED), why=why, summary=summary)


def _retried(run: RunRecord, now: Moment) -> RunRecord | None:
    """In the queue again after its delay, which doubles; None: it has no retry left."""
    if len(run.attempts) > run.wish.policy.retries:
        return None
    delay = retry_delay(run.wish.policy, len(run.attempts), now.chance)
    return replace(_requeued(run, now, delay), stopping=None)


def _finished(run: RunRecord, now: Moment, state: RunState) -> RunRecord:
    if run.attempts:
        run = _attempt_over(run, now, state=state)
    seconds = now.since(run.started, run.began, run.boot)
    return replace(run, state=state, ended=now.at, seconds=seconds, deadlines=Deadlines())


def _attempt_over(run: RunRecord, now: Moment, **changes: Any) -> RunRecord:
    last = run.attempts[-1]
    seconds = now.since(last.started, last.began, run.boot)
    return run.with_attempt(ended=now.at, seconds=seconds, **changes)


_HANDLERS: dict[type, Callable[..., Stepped]] = {
    RunAdmitted: _admitted,
    AttemptStarted: _started,
    StartFailed: _start_failed,
    UserCodeBegun: _begun,
    PlanTold: _planned,
    StepTold: _step_told,
    CheckTold: _check_told,
    AttemptEnded: _ended,
    AttemptLost: _lost,
    CancelAsked: _cancel_asked,
    KillAsked: _kill_asked,
    MemoryExceeded: _memory_exceeded,
    MomentReached: _moment_reached,
}
