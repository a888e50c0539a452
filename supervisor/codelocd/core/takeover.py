"""Decides when a candidate may take over.

Starting a candidate and letting it take over are separate decisions: a candidate starts at
the first event, so that a single save is served as soon as it has loaded; a burst (a
checkout, a formatter, a rebase) is let through only when it has ended, so that it leads
to exactly one takeover.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

QUIET = 0.15
"""Seconds without an event that end a burst: gaps inside one checkout reach 89 ms."""

LOCK_PATIENCE = 30.0
"""Seconds for which a git lock holds a takeover back: one may have been forgotten."""

MAX_DROPS = 5
"""Candidates dropped in a row before one may load to its end."""

CHURN_PATIENCE = 2.0
"""Seconds without a takeover after which sources that never rest no longer hold it back."""

FIRST_PAUSE = 0.02
"""Seconds before the candidate that replaces the first dropped one; doubles with each drop."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The changes since the last takeover that belong together.

    `began` and `latest` are the times of its first and latest event, `many` says whether
    more than one file came to differ from what is served, `drops` counts candidates that
    were dropped because of later events.
    """

    began: float | None = None
    latest: float = 0.0
    many: bool = False
    drops: int = 0


CALM = Burst()


def changed(
    burst: Burst, differing: int, locked: bool, now: float, *, starting: bool = False
) -> Burst:
    """The burst with one more event.

    `starting`: a candidate is on its way. Then what was dropped before counts however long ago:
    a load of five seconds that writes a watched file would else be dropped for ever.
    """
    if burst.began is None or now - burst.latest > CHURN_PATIENCE:
        drops = burst.drops if starting else 0
        return Burst(began=now, latest=now, many=differing > 1 or locked, drops=drops)
    return replace(burst, latest=now, many=burst.many or differing > 1 or locked)


def dropped(burst: Burst) -> Burst:
    """The burst after one more candidate was dropped."""
    return replace(burst, drops=burst.drops + 1)


def may_drop(burst: Burst) -> bool:
    """Whether an outdated candidate is dropped, or loads to its end."""
    return burst.drops < MAX_DROPS


def relaunch_pause(burst: Burst) -> float:
    """Seconds before the candidate that replaces one that was just dropped."""
    return FIRST_PAUSE * 2.0 ** (burst.drops - 1)


def hold_until(burst: Burst, locked: bool, now: float) -> float | None:
    """When to look again at a loaded candidate that must wait, or None: it takes over now."""
    if burst.began is None:
        return None
    if locked and now - burst.began < LOCK_PATIENCE:
        return now + QUIET
    if not burst.many or now - burst.began >= CHURN_PATIENCE + LOCK_PATIENCE * locked:
        return None
    rested = burst.latest + QUIET
    return rested if now < rested else None


def is_owed_another(burst: Burst) -> bool:
    """Whether a candidate that failed, after a save that may have mended it, is replaced.

    Only where the save came too late to drop it: else another one is on its way already.
    """
    return MAX_DROPS <= burst.drops < 2 * MAX_DROPS


def worth_another(burst: Burst, now: float) -> bool:
    """Whether a candidate that is outdated after all drops should be replaced once more.

    Only when the burst has ended, and not without end: code that writes its own sources
    while it loads is outdated every time.
    """
    return now >= burst.latest + QUIET and burst.drops < 2 * MAX_DROPS
