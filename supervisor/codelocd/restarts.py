"""When to try again after a failure, and when to give up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from codelocd.model import Policy


@dataclass(frozen=True, slots=True)
class History:
    """The failures that still count: when they happened, and how many came in a row."""

    failures: tuple[float, ...] = ()
    streak: int = 0


NO_FAILURES = History()


def record(history: History, now: float, served_for: float, policy: Policy) -> History:
    """The history after a failure at `now` of a runner that had served for `served_for` seconds.

    A runner that served for `healthy_after` starts a new streak; the failures of the
    last `restart_limit.period` seconds count towards the limit whatever happened between
    them, so that a slow crash loop ends too.
    """
    recent = tuple(at for at in history.failures if now - at < policy.restart_limit.period)
    streak = 0 if served_for >= policy.healthy_after else history.streak + 1
    return replace(history, failures=(*recent, now), streak=streak)


def pause(history: History, policy: Policy, chance: float) -> float | None:
    """Seconds to wait before the next try, or None to give up.

    `chance` in [0, 1) places the pause within the jitter. The first restart of a runner
    that was healthy is immediate.
    """
    if policy.restart == "never" or len(history.failures) > policy.restart_limit.count:
        return None
    if history.streak == 0:
        return 0.0
    return growing(history, policy) * (1 + policy.backoff.jitter * (2 * chance - 1))


def of_the_world(history: History) -> History:
    """The history after a failure that the location is not to blame for: pauses grow, but the
    limit does not count it."""
    return replace(history, streak=history.streak + 1)


def growing(history: History, policy: Policy) -> float:
    """Seconds that double, or so, with each failure in a row; without jitter."""
    backoff = policy.backoff
    exponent = min(max(history.streak - 1, 0), 64)
    return min(backoff.maximum, backoff.initial * backoff.factor**exponent)
