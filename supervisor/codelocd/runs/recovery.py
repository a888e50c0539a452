"""Decides what a new daemon makes of the runs that an earlier one left. Pure.

By the files of the newest attempt: it lives, and is adopted; its result counts; it had begun, and
is lost; it had not, and is started, as the same attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codelocd.runs.events import AttemptEnded, AttemptLost, Moment, RunEvent, UserCodeBegun
from codelocd.runs.model import Deadlines, RunRecord, RunState
from codelocd.runs.policy import retry_delay
from codelocd.runs.step import TRANSIENT_SECONDS


@dataclass(frozen=True, slots=True)
class Recovered:
    """The run as it is to go on, and what has happened to it meanwhile. `adopt`: its process lives;
    once its lock is free, its files are looked at again."""

    run: RunRecord
    event: RunEvent | None = None
    adopt: bool = False


def recovered(
    run: RunRecord, *, lives: bool, begun: bool, result: Mapping[str, Any] | None, now: Moment
) -> Recovered:
    """`lives`, `begun`, `result`: of the newest attempt, as its files show them."""
    run = _counted_from(run, now.boot)
    if run.state.is_final or run.state is RunState.QUEUED or run.attempt is None:
        return Recovered(_waiting(run, now))
    if lives:
        unheard = UserCodeBegun() if begun and run.state is RunState.STARTING else None
        return Recovered(replace(run, deadlines=_going_on(run, now)), unheard, adopt=True)
    run = replace(run, deadlines=Deadlines())
    if result is not None:
        return Recovered(run, AttemptEnded(result=result, ago=_ago(run, result, now)))
    if begun or run.state is RunState.RUNNING:
        return Recovered(run, AttemptLost())
    if run.stopping is not None:
        return Recovered(run, AttemptEnded(begun=False))
    waiting = run.with_attempt(state=RunState.STARTING, pid=None)
    return Recovered(replace(waiting, state=RunState.QUEUED))


def _ago(run: RunRecord, result: Mapping[str, Any], now: Moment) -> float:
    """Seconds since the newest attempt left its result, which may say anything: not before it
    began."""
    attempt = run.attempts[-1]
    if attempt.began is not None:
        first, last, said = attempt.began, now.clock, result.get("clock")
    else:
        first, last, said = attempt.started or run.queued, now.at, result.get("ended")
    return 0.0 if said is None else last - min(max(said, first), last)


def _counted_from(run: RunRecord, boot: str) -> RunRecord:
    """Without what was counted from another start of the machine."""
    if run.boot == boot or not run.attempts:
        return run
    attempts = tuple(replace(each, began=None) for each in run.attempts)
    return replace(run, boot=boot, began=None, attempts=attempts, deadlines=Deadlines())


def _waiting(run: RunRecord, now: Moment) -> RunRecord:
    """With what is left of its delay; by the time of day, which may have been set, never more than
    that can be by its own rules."""
    if run.retry_at is None:
        return replace(run, deadlines=Deadlines())
    longest = max(TRANSIENT_SECONDS, retry_delay(run.wish.policy, len(run.attempts)))
    due = run.deadlines.retry
    left = run.retry_at - now.at if due is None else due - now.clock
    left = min(max(0.0, left), longest)
    return replace(run, retry_at=now.at + left, deadlines=Deadlines(retry=now.clock + left))


def _going_on(run: RunRecord, now: Moment) -> Deadlines:
    """What is left of its time. One that was to end is given its time to stop anew. That of its
    steps is over: which of them has begun meanwhile was told to no daemon."""
    policy = run.wish.policy
    if run.stopping is not None:
        return Deadlines(kill=now.clock + policy.stop_timeout)
    if policy.timeout is None or run.deadlines.attempt is not None:
        return Deadlines(attempt=run.deadlines.attempt)
    attempt = run.attempt
    gone = now.since(attempt.started, attempt.began, run.boot) if attempt else None
    if gone is None:
        return Deadlines()
    return Deadlines(attempt=now.clock + max(0.0, policy.timeout - gone))
