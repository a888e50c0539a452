"""When to try again, and when to give up."""

from __future__ import annotations

import pytest

from codelocd.core import restarts
from codelocd.model import Backoff, Policy, RestartLimit

PATIENT = Policy(restart_limit=RestartLimit(count=100, period=1e6), backoff=Backoff(jitter=0))


def after_failures(count: int, policy: Policy = PATIENT) -> restarts.RestartHistory:
    history = restarts.NO_FAILURES
    for now in range(count):
        history = restarts.record(history, now, served_for=0, policy=policy)
    return history


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.1), (2, 0.2), (5, 1.6), (50, 60.0)])
def test_pauses_grow_up_to_the_maximum(failures: int, seconds: float) -> None:
    assert restarts.pause(after_failures(failures), PATIENT, 0.5) == pytest.approx(seconds)


def test_a_pause_after_thousands_of_failures_can_still_be_told() -> None:
    assert restarts.growing(100_000, PATIENT.backoff) == PATIENT.backoff.maximum


def test_no_pause_is_shorter_than_the_first() -> None:
    assert restarts.growing(0, PATIENT.backoff) == PATIENT.backoff.initial


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 0.08), (0.5, 0.1), (1.0, 0.12)])
def test_jitter_spreads_pauses_around_the_backoff(chance: float, seconds: float) -> None:
    policy = Policy(backoff=Backoff(jitter=0.2))
    assert restarts.pause(after_failures(1), policy, chance) == pytest.approx(seconds)


def test_a_healthy_period_forgets_the_streak() -> None:
    history = restarts.record(after_failures(4), 100.0, served_for=60.0, policy=PATIENT)
    assert restarts.pause(history, PATIENT, 0.5) == 0.0


def test_more_failures_than_the_limit_within_its_period_end_it() -> None:
    policy = Policy(restart_limit=RestartLimit(count=3, period=60))
    assert restarts.pause(after_failures(3, policy), policy, 0.5) is not None
    assert restarts.pause(after_failures(4, policy), policy, 0.5) is None


def test_failures_before_the_period_no_longer_count() -> None:
    policy = Policy(restart_limit=RestartLimit(count=3, period=60))
    history = restarts.record(after_failures(4, policy), 100.0, served_for=0, policy=policy)
    assert history.failures == (100.0,)


def test_what_is_started_again_for_ever_waits_longer_until_it_was_healthy_once() -> None:
    pauses = restarts.Pauses(PATIENT)
    assert [pauses.after(1.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.4])
    assert pauses.after(61.0) == pytest.approx(0.1)
    assert pauses.after(1.0) == pytest.approx(0.2)
    pauses.forget()
    assert pauses.after(1.0) == pytest.approx(0.1)


def test_what_lasts_exactly_as_long_as_its_limit() -> None:
    """At the limit a failure no longer counts; a run begins a new streak only beyond it."""
    policy = Policy(restart_limit=RestartLimit(count=3, period=60), healthy_after=60.0)
    history = restarts.record(restarts.NO_FAILURES, 0.0, 0.0, policy)
    assert restarts.record(history, 60.0, 0.0, policy).failures == (60.0,)
    pauses = restarts.Pauses(policy)
    assert pauses.after(1.0) < pauses.after(60.0)
