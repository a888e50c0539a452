"""How a run is carried out, by what its job and its assets state. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from codelocd.runs.model import RunPolicy, RunWish

Listed = Mapping[str, Any]
"""A definition as the registry lists it."""
STATED = ("retries", "retry_delay", "memory_limit")
"""What a job states for its runs; else the largest of what its assets state."""
LONGEST_DELAY = 3600.0
"""Seconds before a retry, however many there were."""
JITTER = 0.2
"""The part by which a delay is longer or shorter, so that runs that fail together part."""


def retry_delay(policy: RunPolicy, attempts: int, chance: float = 1.0) -> float:
    """Seconds before the next attempt after so many: doubled each time, and spread by a `chance` in
    [0, 1]; the longest that it can be unless one is given."""
    delay = policy.retry_delay * 2.0 ** min(max(0, attempts - 1), 32)
    return min(LONGEST_DELAY, delay) * (1 + JITTER * (2 * chance - 1))


def policy_of(wish: RunWish, definitions: Iterable[Listed], usual: RunPolicy) -> RunPolicy:
    """`definitions`: those of the location. `usual` holds where nothing is stated.

    A job's own statement comes before those of its assets; limits are those of both. The time
    limit of an asset is one of its step, which the attempt tells. Assets that are chosen by
    more than their keys are not known before the attempt: then what they state does not count.
    """
    own = [each for each in definitions if each["repository"] == wish.repository]
    jobs = [each for each in own if each["kind"] == "job" and each["name"] == wish.job]
    names = _assets_of(wish, jobs)
    assets = [each for each in own if each["kind"] == "asset" and each["name"] in names]
    policy = usual
    for name in STATED:
        stated = [each[name] for each in jobs if name in each]
        stated = stated or [each[name] for each in assets if name in each]
        if stated:
            policy = replace(policy, **{name: max(stated)})
    timeouts = [each["timeout"] for each in jobs if "timeout" in each]
    limits = _smallest(each.get("limits") or {} for each in (*jobs, *assets))
    return replace(
        policy, timeout=max(timeouts, default=policy.timeout), limits={**policy.limits, **limits}
    )


def _assets_of(wish: RunWish, jobs: Iterable[Listed]) -> set[str]:
    """Names of those that are known to be made."""
    if wish.job is None:
        return set(wish.select or ())
    return {"/".join(key) for job in jobs for key in job.get("assets") or ()}


def _smallest(limits: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in limits:
        for name, count in each.items():
            found[name] = min(count, found.get(name, count))
    return found
