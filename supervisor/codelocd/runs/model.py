"""A run and its attempts, as the daemon knows them. Frozen values. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NewType

RunId = NewType("RunId", int)
"""A number that grows by one with each run of one book, and never repeats."""

Reason = Literal[
    "exception",
    "check",
    "load",
    "usage",
    "upstream",
    "timeout",
    "memory",
    "exit",
    "signal",
    "shutdown",
]
"""Why a run failed; `shutdown` of one that was cancelled: the daemon ended."""
Stopping = Literal["cancel", "timeout", "memory", "shutdown"]
"""Why an attempt is being ended."""
StepDocument = dict[str, Any]
"""A step as an attempt tells it, in the shape of docs/protocol.md."""


class RunState(enum.StrEnum):
    """`lost`: it ended, and nothing was there to see how."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        return self not in (RunState.QUEUED, RunState.STARTING, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """How a run is carried out. Seconds and bytes; None: without a limit.

    `limits`: by name, how many runs that have the name may go on at a time.
    """

    retries: int = 0
    retry_delay: float = 10.0
    timeout: float | None = None
    memory_limit: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    stop_timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class RunWish:
    """What shall be run: a `job`, or what `select` chooses, of one location and repository.

    `by` says what asked for it; `key`: the same key of one location is the same run. `config`: the
    run config of Dagster's. `dagster_run`: the id of one that Dagster has recorded and launched,
    which is what is run. `dagster_parent`: what Dagster calls the run that this one repeats.
    """

    location: str
    repository: str = "__repository__"
    job: str | None = None
    select: tuple[str, ...] | None = None
    upstream: bool = False
    checks: str = "with"
    params: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    by: Mapping[str, Any] = field(default_factory=lambda: {"kind": "client"})
    key: str | None = None
    retry_of: int | None = None
    scheduled_for: float | None = None
    dagster_run: str | None = None
    dagster_parent: str | None = None
    policy: RunPolicy = RunPolicy()


@dataclass(frozen=True, slots=True)
class RunAttempt:
    """One process. Times in Unix seconds; `exit` is None where a signal ended it, or unknown.

    `began`: `started` by the monotonic clock of the machine's start that the run names. `seconds`:
    how long it took. `false_starts`: how often its process ended before any user code.
    """

    number: int
    state: RunState = RunState.STARTING
    pid: int | None = None
    start_method: str | None = None
    start_why: str | None = None
    started: float | None = None
    began: float | None = None
    ended: float | None = None
    seconds: float | None = None
    exit: int | None = None
    signal: int | None = None
    why: Reason | None = None
    summary: str | None = None
    problem: Mapping[str, Any] | None = None
    memory_peak: int | None = None
    false_starts: int = 0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Moments of the monotonic clock, which counts from one start of the machine."""

    attempt: float | None = None
    step: float | None = None
    kill: float | None = None
    retry: float | None = None

    def next(self) -> float | None:
        set_ones = [
            each for each in (self.attempt, self.step, self.kill, self.retry) if each is not None
        ]
        return min(set_ones, default=None)


@dataclass(frozen=True, slots=True)
class UnsaidEnd:
    """How an attempt ended that could not say so to Dagster, in one line. `number`: the attempt."""

    number: int
    dagster_run: str
    text: str
    cancelled: bool


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, all of it but its output. `generation` and `manifest`: the code that it runs.
    `dagster_run`: what Dagster calls the newest attempt, if it is one of Dagster's.

    `untold`: what Dagster does not know yet, which daemons after this one tell it.
    `retry_at`: Unix seconds before which it is not started again; daemons after this one heed it.
    `boot`: the start of the machine from which `deadlines` and each `began`, of the run and its
    attempts, are counted. `began` and `seconds`: as of an attempt.
    """

    id: RunId
    uuid: str
    wish: RunWish
    queued: float
    state: RunState = RunState.QUEUED
    why: Reason | None = None
    summary: str | None = None
    started: float | None = None
    began: float | None = None
    ended: float | None = None
    seconds: float | None = None
    attempts: tuple[RunAttempt, ...] = ()
    steps: tuple[StepDocument, ...] = ()
    step_timeouts: Mapping[str, float] = field(default_factory=dict)
    generation: int | None = None
    manifest: str | None = None
    late: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = None
    dagster_run: str | None = None
    stopping: Stopping | None = None
    retry_at: float | None = None
    untold: tuple[UnsaidEnd, ...] = ()
    deadlines: Deadlines = Deadlines()
    boot: str = ""

    @property
    def attempt(self) -> RunAttempt | None:
        """The newest."""
        return self.attempts[-1] if self.attempts else None

    def with_attempt(self, **changes: Any) -> RunRecord:
        """With something of the newest attempt changed."""
        last = replace(self.attempts[-1], **changes)
        return replace(self, attempts=(*self.attempts[:-1], last))

    def with_step(self, new: StepDocument) -> RunRecord:
        """With the step in its place, or behind all others."""
        if not any(is_same_step(each, new) for each in self.steps):
            return replace(self, steps=(*self.steps, new))
        steps = tuple(new if is_same_step(each, new) else each for each in self.steps)
        return replace(self, steps=steps)

    def with_result(self, result: Mapping[str, Any]) -> RunRecord:
        """With what the newest attempt has left of itself, but for its steps."""
        late = {**self.late, **(result.get("late") or {})}
        named = result.get("dagster_run") or self.wish.dagster_run
        run = replace(self, late=late, dagster_run=named)
        peak, problem = result.get("memory_peak"), result.get("problem")
        return run.with_attempt(memory_peak=peak, problem=problem)

    def again(self, by: Mapping[str, Any]) -> RunWish:
        """What a run that repeats it is to be. `by`: what asked for that."""
        parent = self.dagster_run or self.wish.dagster_parent
        return replace(self.wish, key=None, retry_of=self.id, dagster_parent=parent, by=dict(by))

    @property
    def done(self) -> tuple[str, ...]:
        """Names of the assets that need not be made again: made, and no check failed the run."""
        return tuple(
            step["name"]
            for step in self.steps
            if step.get("kind") == "asset"
            and step.get("state") == "succeeded"
            and not any(_fails(check) for check in step.get("checks") or ())
        )


def is_same_step(one: StepDocument, other: StepDocument) -> bool:
    return bool(one["kind"] == other["kind"] and one["name"] == other["name"])


def _fails(check: Mapping[str, Any]) -> bool:
    return check.get("state") != "passed" and check.get("severity") != "warn"
