"""Decides which of the waiting runs may start under the limits. Pure.

Fair by age: the oldest that may start does. One that a limit holds back holds back no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from codelocd.runs.model import RunId, RunRecord, RunState


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How many runs may go on at a time: in all, of a location, of `LOCATION/JOB`, with a tag.

    A tag is `NAME` for any value of it, or `NAME=VALUE`.
    """

    max_concurrent: int = 1
    locations: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)


def startable(runs: Iterable[RunRecord], limits: RunLimits, clock: float) -> list[RunId]:
    """Those that may start now, the oldest first; `clock`: of the monotonic clock."""
    there = list(runs)
    held, bounds = _held(there, limits)
    waiting = [run for run in there if run.state is RunState.QUEUED]
    found = []
    for run in sorted(waiting, key=lambda each: (each.queued, each.id)):
        if held[EVERY] >= limits.max_concurrent:
            break
        if _is_due(run, clock) and _has_room(run, limits, held, bounds):
            _hold(run, limits, held, bounds)
            found.append(run.id)
    return found


def reached(run: RunRecord, runs: Iterable[RunRecord], limits: RunLimits) -> list[str]:
    """The limits that hold a run back which waits among these, each in words."""
    held, bounds = _held(runs, limits)
    most = {name: min(count, bounds.get(name, count)) for name, count in _limits_of(run, limits)}
    return [f"{name}, {count} at a time" for name, count in most.items() if held[name] >= count]


EVERY = "all runs"


def _is_due(run: RunRecord, clock: float) -> bool:
    return run.deadlines.retry is None or clock >= run.deadlines.retry


def _has_room(
    run: RunRecord, limits: RunLimits, held: Mapping[str, int], bounds: Mapping[str, int]
) -> bool:
    """Whether no limit of its own is reached, nor one that others stated for the same name."""
    return all(
        held.get(name, 0) < min(count, bounds.get(name, count))
        for name, count in _limits_of(run, limits)
    )


def _held(runs: Iterable[RunRecord], limits: RunLimits) -> tuple[Counter[str], dict[str, int]]:
    """By the name of a limit, how many go on that have it, and the least that is stated for it."""
    held: Counter[str] = Counter()
    bounds: dict[str, int] = {}
    for run in runs:
        if run.state is not RunState.QUEUED and not run.state.is_final:
            _hold(run, limits, held, bounds)
    return held, bounds


def _hold(run: RunRecord, limits: RunLimits, held: Counter[str], bounds: dict[str, int]) -> None:
    for name, count in _limits_of(run, limits):
        held[name] += 1
        bounds[name] = min(count, bounds.get(name, count))


def _limits_of(run: RunRecord, limits: RunLimits) -> Iterator[tuple[str, int]]:
    """By name, each with how many runs that have it may go on."""
    wish = run.wish
    yield EVERY, limits.max_concurrent
    if wish.location in limits.locations:
        yield f"location {wish.location}", limits.locations[wish.location]
    job = f"{wish.location}/{wish.job}"
    if wish.job is not None and job in limits.jobs:
        yield f"job {job}", limits.jobs[job]
    for name, value in wish.tags.items():
        for tag in (name, f"{name}={value}"):
            if tag in limits.tags:
                yield f"tag {tag}", limits.tags[tag]
    for name, count in wish.policy.limits.items():
        yield f"limit {name}", count
