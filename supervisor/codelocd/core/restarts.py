"""Decides when to try again after a failure, and when to give up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from codelocd.model import Backoff, Policy


@dataclass(frozen=True, slots=True)
class RestartHistory:
    """The failures that still count: when they happened, and how many came in a row."""

    failures: tuple[float, ...] = ()
    streak: int = 0


NO_FAILURES = RestartHistory()
DEFAULT = Policy()


def record(
    history: RestartHistory, now: float, served_for: float, policy: Policy
) -> RestartHistory:
    """The history after a failure at `now` of a runner that had served for `served_for` seconds.

    A runner that served for `healthy_after` starts a new streak; the failures of the
    last `restart_limit.period` seconds count towards the limit whatever happened between
    them, so that a slow crash loop ends too.
    """
    recent = tuple(at for at in history.failures if now - at < policy.restart_limit.period)
    streak = 0 if served_for >= policy.healthy_after else history.streak + 1
    return replace(history, failures=(*recent, now), streak=streak)


def pause(history: RestartHistory, policy: Policy, chance: float) -> float | None:
    """Seconds to wait before the next try, or None to give up.

    `chance` in [0, 1) places the pause within the jitter. The first restart of a runner
    that was healthy is immediate.
    """
    if policy.restart == "never" or len(history.failures) > policy.restart_limit.count:
        return None
    if history.streak == 0:
        return 0.0
    return growing(history.streak, policy.backoff) * (1 + policy.backoff.jitter * (2 * chance - 1))


def of_the_world(history: RestartHistory) -> RestartHistory:
    """The history after a failure that the location is not to blame for: pauses grow, but the
    limit does not count it."""
    return replace(history, streak=history.streak + 1)


def growing(streak: int, backoff: Backoff) -> float:
    """Seconds that double, or so, with each failure in a row; without jitter."""
    exponent = min(max(streak - 1, 0), 64)
    return min(backoff.maximum, backoff.initial * backoff.factor**exponent)


class Pauses:
    """The pauses between starts of a process that is started again without a limit.

    Code servers, and Dagster's own processes: by the policy that a location has by default, but
    without a limit. A run of more than `policy.healthy_after` seconds starts a new streak.
    """

    def __init__(self, policy: Policy = DEFAULT) -> None:
        self._policy = policy
        self._streak = 0

    def after(self, ran_for: float) -> float:
        """Seconds to wait after a run that took so many and then ended by itself."""
        self._streak = 1 if ran_for > self._policy.healthy_after else self._streak + 1
        return growing(self._streak, self._policy.backoff)

    def forget(self) -> None:
        """Its end was asked for: the next one begins a new streak."""
        self._streak = 0
