"""What becomes of a run by what happens to it: stories, and random walks with invariants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd.runs.encoding import decoded, encoded, run_document
from codelocd.runs.events import (
    AttemptEnded,
    AttemptLost,
    AttemptStarted,
    CancelAsked,
    CheckTold,
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
    TellDagster,
    UserCodeBegun,
)
from codelocd.runs.model import Deadlines, RunId, RunPolicy, RunRecord, RunState, RunWish
from codelocd.runs.recovery import recovered
from codelocd.runs.step import step

STARTED = (RunAdmitted(3, "m", "env"), AttemptStarted(11, "fork"))
RUNNING = (*STARTED, UserCodeBegun())
GOOD: dict[str, Any] = {"state": "succeeded", "steps": []}
BAD: dict[str, Any] = {"state": "failed", "why": "exception", "summary": "ValueError", "steps": []}
GONE: dict[str, Any] = {"state": "cancelled", "steps": []}


def new(**policy: Any) -> RunRecord:
    return RunRecord(RunId(1), "u", RunWish("sales", policy=RunPolicy(**policy)), queued=0.0)


def after(
    run: RunRecord, *events: RunEvent, clock: float = 0.0
) -> tuple[RunRecord, list[RunEffect]]:
    """The run after these events, one a second, and all that was ordered."""
    ordered: list[RunEffect] = []
    for event in events:
        clock += 1
        run, effects = step(run, event, Moment(1000 + clock, clock))
        ordered += effects
    return run, ordered


def made(name: str, state: str = "succeeded") -> StepTold:
    return StepTold({"kind": "asset", "name": name, "state": state})


def test_a_run_starts_runs_and_succeeds_with_its_steps() -> None:
    failed = CheckTold("b", {"name": "fresh", "state": "failed", "severity": "error"})
    warned = CheckTold("a", {"name": "pretty", "state": "failed", "severity": "warn"})
    told = (made("a", "started"), made("a"), warned, made("b", "started"), made("b"), failed)
    run, ordered = after(new(), *RUNNING, *told)
    assert (run.state, run.done, ordered) == (RunState.RUNNING, ("a",), [StartAttempt(1)])
    run, _ = after(run, AttemptEnded(exit=0, result=GOOD))

    assert (run.state, run.why, run.generation) == (RunState.SUCCEEDED, None, 3)
    assert [(each["name"], len(each["checks"])) for each in run.steps] == [("a", 1), ("b", 1)]
    assert run.attempt is not None
    assert (run.attempt.pid, run.attempt.exit, run.attempt.state) == (11, 0, RunState.SUCCEEDED)


@pytest.mark.parametrize(
    ("ended", "state", "why"),
    [
        (AttemptEnded(exit=1, result=BAD), RunState.FAILED, "exception"),
        (AttemptEnded(exit=1, result={**BAD, "why": "check"}), RunState.FAILED, "check"),
        (AttemptEnded(exit=1, result={**BAD, "why": "odd"}), RunState.FAILED, "exception"),
        (AttemptEnded(signal=9), RunState.FAILED, "signal"),
        (AttemptEnded(exit=7), RunState.FAILED, "exit"),
        (AttemptEnded(), RunState.LOST, None),
        (AttemptLost(), RunState.LOST, None),
        (AttemptEnded(signal=9, result=GOOD), RunState.SUCCEEDED, None),
        (AttemptEnded(exit=2, result=GONE), RunState.CANCELLED, None),
    ],
)
def test_an_attempt_that_ends_during_user_code_says_how(
    ended: RunEvent, state: RunState, why: str | None
) -> None:
    run, _ = after(new(), *RUNNING, ended)
    assert (run.state, run.why) == (state, why)


def test_a_failure_is_retried_after_a_delay_that_doubles_and_repeats_only_what_failed() -> None:
    run, _ = after(new(retries=2, retry_delay=10), *RUNNING, made("a"), AttemptEnded(exit=1))
    assert (run.state, run.deadlines.retry) == (RunState.QUEUED, 15.0)
    assert after(run, RunAdmitted(), clock=13)[1] == []
    run, ordered = after(run, *RUNNING, AttemptEnded(signal=9), clock=15)
    assert ordered == [StartAttempt(2, done=("a",))]
    assert run.deadlines.retry == 19.0 + 20
    run, _ = after(run, *RUNNING, AttemptEnded(exit=0, result=GOOD), clock=40)
    assert run.state is RunState.SUCCEEDED
    assert [each.state for each in run.attempts] == ["failed", "failed", "succeeded"]


@pytest.mark.parametrize("why", ["usage", "upstream", "load"])
def test_what_the_same_code_would_repeat_is_not_retried(why: str) -> None:
    result = {**BAD, "why": why}
    run, _ = after(new(retries=2), *RUNNING, AttemptEnded(exit=1, result=result))
    assert (run.state, run.why) == (RunState.FAILED, why)


def test_a_process_that_ends_before_user_code_starts_again_as_the_same_attempt() -> None:
    run, ordered = new(), list[RunEffect]()
    for _ in range(3):
        assert run.state is RunState.QUEUED
        run = replace(run, deadlines=Deadlines())
        run, more = after(run, *STARTED, AttemptEnded(exit=1, begun=False))
        ordered += more
    assert ordered == [StartAttempt(1)] * 3
    assert (run.state, run.why) == (RunState.FAILED, "load")
    assert run.summary == "its process ended before any user code, with status 1"


def test_a_start_that_fails_is_tried_three_times_and_one_without_room_for_ever() -> None:
    run = new()
    for _ in range(10):
        run, _ = after(run, RunAdmitted(), StartFailed("no memory", transient=True))
        assert run.state is RunState.QUEUED
        run = replace(run, deadlines=Deadlines())
    for _ in range(3):
        run, _ = after(replace(run, deadlines=Deadlines()), RunAdmitted(), StartFailed("none"))
    assert (run.state, run.why, run.summary) == (RunState.FAILED, "load", "none")


def test_a_cancelled_run_is_asked_once_then_killed_and_stays_cancelled() -> None:
    run, ordered = after(new(retries=3, stop_timeout=10), *RUNNING, CancelAsked(), CancelAsked())
    assert ordered[1:] == [SignalAttempt(1, "terminate")]
    assert run.deadlines.next() == 14.0
    assert after(run, MomentReached(), clock=12)[1] == []
    run, ordered = after(run, MomentReached(), MomentReached(), clock=13)
    assert ordered == [SignalAttempt(1, "kill")]
    for ended in (AttemptEnded(signal=9), AttemptEnded(exit=1, result=BAD), AttemptLost()):
        end, _ = after(run, ended)
        assert (end.state, end.why) == (RunState.CANCELLED, None)


def test_what_succeeds_before_the_signal_is_heard_has_succeeded() -> None:
    run, _ = after(new(), *RUNNING, CancelAsked(), AttemptEnded(exit=0, result=GOOD))
    assert run.state is RunState.SUCCEEDED


def test_a_queued_run_is_cancelled_at_once_and_kept_at_a_shutdown() -> None:
    assert after(new(), CancelAsked())[0].state is RunState.CANCELLED
    assert after(new(), CancelAsked(shutdown=True))[0].state is RunState.QUEUED


def test_a_run_that_is_cancelled_while_it_starts_is_told_once_its_process_is_there() -> None:
    run, ordered = after(new(), RunAdmitted(), CancelAsked(), AttemptStarted(5, "fork"))
    assert ordered == [StartAttempt(1), SignalAttempt(1, "terminate")]
    run, _ = after(run, AttemptEnded(signal=15, begun=False))
    assert run.state is RunState.CANCELLED


def test_what_had_no_process_until_its_time_to_end_was_over_is_killed_then() -> None:
    told = CancelAsked(shutdown=True), MomentReached(), AttemptStarted(5, "fork")
    _, ordered = after(new(stop_timeout=0.5), RunAdmitted(), *told)
    assert ordered == [StartAttempt(1), SignalAttempt(1, "kill")]
    _, ordered = after(new(), RunAdmitted(), KillAsked(), AttemptStarted(5, "fork"))
    assert ordered == [StartAttempt(1), SignalAttempt(1, "kill")]


def test_a_process_that_was_not_recorded_is_told_of_its_end_once_it_is_adopted() -> None:
    run, _ = after(new(), RunAdmitted())
    run = recovered(run, lives=True, begun=True, result=None, now=Moment(2000, 1)).run
    run, ordered = after(run, UserCodeBegun(), CancelAsked(shutdown=True), AttemptStarted(5, None))
    assert ordered == [SignalAttempt(1, "terminate")]
    assert after(run, AttemptStarted(5, None)) == (run, [])


def test_a_shutdown_cancels_and_says_so() -> None:
    run, _ = after(new(retries=1), *RUNNING, CancelAsked(shutdown=True), AttemptEnded(signal=9))
    assert (run.state, run.why) == (RunState.CANCELLED, "shutdown")


def test_a_shutdown_before_user_code_leaves_the_run_in_the_queue() -> None:
    ended = AttemptEnded(signal=15, begun=False)
    run, _ = after(new(), *STARTED, CancelAsked(shutdown=True), ended)
    assert (run.state, run.stopping) == (RunState.QUEUED, None)


def test_a_second_wish_kills_at_once() -> None:
    _, ordered = after(new(), *RUNNING, CancelAsked(), KillAsked())
    assert ordered[1:] == [SignalAttempt(1, "terminate"), SignalAttempt(1, "kill")]


def test_an_attempt_that_takes_too_long_has_failed() -> None:
    run, ordered = after(after(new(timeout=30), *RUNNING)[0], MomentReached(), clock=32)
    assert ordered == [SignalAttempt(1, "terminate")]
    run, _ = after(run, AttemptEnded(exit=2, result=GONE))
    assert (run.state, run.why) == (RunState.FAILED, "timeout")


def test_a_step_has_a_time_limit_of_its_own() -> None:
    run, _ = after(new(), *RUNNING, PlanTold({"a": 5.0}), made("a", "started"), made("a"))
    assert run.deadlines.next() is None
    run, _ = after(run, made("a", "started"), clock=10)
    assert run.deadlines.step == 16.0
    assert after(run, MomentReached(), clock=16)[1] == [SignalAttempt(1, "terminate")]


def test_too_much_memory_is_killed_at_once_and_retried() -> None:
    run, ordered = after(new(retries=1), *RUNNING, MemoryExceeded(), AttemptEnded(signal=9))
    assert ordered[1:] == [SignalAttempt(1, "kill")]
    assert run.state is RunState.QUEUED
    assert [each.why for each in run.attempts] == ["memory"]


# --- random walks ----------------------------------------------------------------------------

EVENTS: st.SearchStrategy[RunEvent] = st.one_of(
    st.just(RunAdmitted(1, "m", "e")),
    st.just(AttemptStarted(5, "fork")),
    st.builds(StartFailed, st.just("no"), st.booleans()),
    st.just(UserCodeBegun()),
    st.just(PlanTold({"a": 2.0})),
    st.builds(made, st.sampled_from("abc"), st.sampled_from(["started", "succeeded", "failed"])),
    st.builds(CheckTold, st.sampled_from("abc"), st.just({"name": "c", "state": "failed"})),
    st.builds(
        AttemptEnded,
        exit=st.sampled_from([None, 0, 1]),
        signal=st.sampled_from([None, 9]),
        begun=st.booleans(),
        result=st.sampled_from([None, GOOD, BAD, GONE]),
    ),
    st.just(AttemptLost()),
    st.builds(CancelAsked, st.booleans()),
    st.just(KillAsked()),
    st.just(MemoryExceeded()),
    st.just(MomentReached()),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(EVENTS, st.floats(0, 40)), max_size=30),
    st.integers(0, 3),
    st.sampled_from([None, 3.0]),
)
def test_whatever_happens_nothing_runs_twice_and_every_end_is_final(
    events: list[tuple[RunEvent, float]], retries: int, timeout: float | None
) -> None:
    run, clock, killed = new(retries=retries, timeout=timeout), 0.0, 0
    for event, seconds in events:
        clock += seconds
        before = run
        run, effects = step(run, event, Moment(clock, clock))
        if before.state.is_final:
            assert (run, effects) == (before, ())
        starts = [each for each in effects if isinstance(each, StartAttempt)]
        assert not starts or (len(starts) == 1 and before.state is RunState.QUEUED)
        assert not effects or run.attempt is not None
        numbers = [each.number for each in effects if not isinstance(each, TellDagster)]
        assert all(run.attempt and number == run.attempt.number for number in numbers)
        number = len(run.attempts)
        killed = number if SignalAttempt(number, "kill") in effects else killed
        goes_on = run.state in (RunState.STARTING, RunState.RUNNING)
        if goes_on and run.stopping is not None and run.attempts[-1].pid:
            assert run.deadlines.kill is not None or killed == number
        check_invariants(run, retries)


def check_invariants(run: RunRecord, retries: int) -> None:
    assert len(run.attempts) <= retries + 1
    assert [each.number for each in run.attempts] == list(range(1, len(run.attempts) + 1))
    assert all(each.state.is_final for each in run.attempts[:-1])
    if run.state.is_final:
        assert run.ended is not None
        assert run.deadlines.next() is None
        assert all(each.state.is_final for each in run.attempts)
    if run.state in (RunState.STARTING, RunState.RUNNING):
        assert run.attempt is not None
        assert run.attempt.state is run.state
    if run.stopping in ("cancel", "shutdown") and run.state.is_final:
        assert run.state in (RunState.CANCELLED, RunState.SUCCEEDED)
    assert decoded(encoded(run)) == run
    document = run_document(run, Moment(0, 0))
    assert document["state"] == run.state.value
    assert (document["retry_at"] is None) == (run.deadlines.retry is None)


# --- recovery --------------------------------------------------------------------------------

NOTHING: dict[str, Any] = {"lives": False, "begun": False, "result": None}


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"begun": True, "result": GOOD}, RunState.SUCCEEDED),
        ({"begun": True, "result": BAD}, RunState.FAILED),
        ({"begun": True}, RunState.LOST),
        ({}, RunState.QUEUED),
    ],
)
def test_a_new_daemon_goes_by_the_files_of_an_attempt(
    files: dict[str, Any], state: RunState
) -> None:
    run, _ = after(new(), *STARTED)
    found = recovered(run, **{**NOTHING, **files}, now=Moment(2000, 1))
    assert not found.adopt
    run = found.run
    if found.event is not None:
        run, _ = step(run, found.event, Moment(2000, 1))
    assert run.state is state
    if state is RunState.QUEUED:
        assert step(run, RunAdmitted(), Moment(2001, 2))[1] == (StartAttempt(1),)


def test_a_clock_that_was_wrong_makes_no_run_wait_longer_than_by_its_own_rules() -> None:
    run, _ = after(new(retries=2, retry_delay=10), *RUNNING, AttemptEnded(exit=1, result=BAD))
    ahead = replace(run, retry_at=(run.retry_at or 0) + 86400)
    now = Moment(1004, 5, boot="next")
    found = recovered(ahead, **NOTHING, now=now).run
    assert (found.deadlines.retry, found.retry_at) == (5 + 12, 1004 + 12)


DAY = 86400.0


def test_a_day_that_the_clock_is_set_by_is_in_no_duration() -> None:
    run, _ = after(new(retries=1), *RUNNING, AttemptEnded(exit=1, result=BAD))
    (failed,) = run.attempts
    assert (failed.seconds, failed.ended) == (2, 1004)
    again: tuple[RunEvent, ...] = (RunAdmitted(), AttemptStarted(7, "fork"), UserCodeBegun())
    for clock, event in enumerate(again, 50):
        run, _ = step(run, event, Moment(1000 + clock - DAY, clock))
    shown = run_document(run, Moment(1060 + DAY, 60))
    assert (shown["seconds"], [each["seconds"] for each in shown["attempts"]]) == (59, [2, 9])
    run, _ = step(run, AttemptEnded(exit=0, result=GOOD), Moment(1062 - DAY, 62))
    shown = run_document(run, Moment(1999, 99))
    assert (shown["seconds"], [each["seconds"] for each in shown["attempts"]]) == (61, [2, 11])
    assert (shown["started"], shown["ended"]) == (1001, 1062 - DAY)


def test_after_another_start_of_the_machine_the_time_of_day_is_what_there_is() -> None:
    run, _ = after(new(retries=1), *RUNNING)
    now = Moment(2000, 1, boot="next")
    found = recovered(run, **NOTHING, now=now)
    run, _ = step(found.run, AttemptLost(), now)
    assert run.attempts[0].seconds == 2000 - 1002
    run, _ = step(run, RunAdmitted(), Moment(2100, 101, boot="next"))
    run, _ = step(run, AttemptStarted(7, "fork"), Moment(2100, 101, boot="next"))
    run, _ = step(run, AttemptEnded(result=GOOD), Moment(2103 + DAY, 104, boot="next"))
    assert (run.attempts[1].seconds, run.seconds) == (3, 2103 + DAY - 1001)


def test_a_day_that_the_clock_is_set_by_is_in_no_delay_of_the_next_daemon() -> None:
    waits, _ = after(new(retries=2, retry_delay=10), *RUNNING, AttemptEnded(exit=1, result=BAD))
    due = waits.deadlines.retry
    kept = decoded(encoded(waits))
    for now in (Moment(1005 + DAY, 5), Moment(1005 - DAY, 5)):
        found = recovered(kept, **NOTHING, now=now).run
        assert (found.deadlines.retry, found.retry_at) == (due, now.at + (due or 0) - now.clock)


@pytest.mark.parametrize(
    ("now", "said", "ended", "seconds"),
    [
        (Moment(5000, 4000), {"clock": 12.0}, 1012, 10),
        (Moment(5000, 4000), {"clock": 12.0, "ended": 77.0}, 1012, 10),
        (Moment(5000 - DAY, 4000), {"clock": 12.0}, 1012 - DAY, 10),
        (Moment(5000, 50, boot="next"), {"clock": 4000.0, "ended": 1012.0}, 1012, 10),
        (Moment(5000, 50, boot="next"), {"ended": 1012.0 + DAY}, 5000, 3998),
        (Moment(5000, 50, boot="next"), {"ended": 1012.0 - DAY}, 1002, 0),
        (Moment(5000, 4000), {"clock": 1e14}, 5000, 3998),
        (Moment(5000, 4000), {"clock": -1e14}, 1002, 0),
        (Moment(5000, 4000), {}, 5000, 3998),
    ],
)
def test_a_result_that_is_found_says_when_it_was_left(
    now: Moment, said: dict[str, Any], ended: float, seconds: float
) -> None:
    run, _ = after(new(), *RUNNING)
    found = recovered(run, **{**NOTHING, "begun": True, "result": GOOD | said}, now=now)
    assert found.event is not None
    run, _ = step(found.run, found.event, now)
    assert (run.ended, run.attempts[0].ended) == (ended, ended)
    assert (run.attempts[0].seconds, run.seconds) == (seconds, seconds + 1)


def test_the_delay_of_a_failure_that_is_found_counts_from_its_end() -> None:
    run, _ = after(new(retries=1, retry_delay=10), *RUNNING)
    now = Moment(1015, 15)
    found = recovered(run, **{**NOTHING, "begun": True, "result": BAD | {"clock": 12.0}}, now=now)
    assert found.event is not None
    run, _ = step(found.run, found.event, now)
    assert (run.state, run.deadlines.retry) == (RunState.QUEUED, 22)


def test_a_lost_attempt_is_retried_by_its_policy() -> None:
    run, _ = after(new(retries=1), *RUNNING)
    found = recovered(run, **NOTHING, now=Moment(2000, 1))
    assert found.event == AttemptLost()
    run, _ = step(found.run, AttemptLost(), Moment(2000, 1))
    assert run.state is RunState.QUEUED


def test_an_attempt_that_lives_is_adopted_with_what_is_left_of_its_time() -> None:
    run, _ = after(new(timeout=100, stop_timeout=7), *RUNNING)
    lives = {**NOTHING, "lives": True, "begun": True}
    for now in (Moment(1030, 30), Moment(1030 + DAY, 30), Moment(1030 - DAY, 30)):
        found = recovered(decoded(encoded(run)), **lives, now=now)
        assert found.adopt
        assert found.run.deadlines == Deadlines(attempt=3 + 100), "since its user code began"
        earlier = replace(run, deadlines=Deadlines())  # a daemon that did not come to write it
        assert recovered(earlier, **lives, now=now).run.deadlines.attempt == 2 + 100
        unheard = replace(earlier, state=RunState.STARTING)
        found = recovered(unheard, **lives, now=now)
        assert found.event is not None
        assert step(found.run, found.event, now)[0].deadlines.attempt == 2 + 100
    old = replace(run, deadlines=Deadlines(), attempts=(replace(run.attempts[0], began=None),))
    found = recovered(old, **lives, now=Moment(1032, 5))
    assert found.run.deadlines.attempt == 5 + 70, "one that an earlier version has started"
    run, _ = after(run, CancelAsked())
    assert recovered(run, **lives, now=Moment(1032, 5)).run.deadlines.kill == 12
