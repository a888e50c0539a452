"""What can happen to a run, and what is to be done about it. Pure.

Events are past tense, effects are orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from codelocd.runs.model import StepDocument, UnsaidEnd


@dataclass(frozen=True, slots=True)
class RunAdmitted:
    """The limits allow that it starts, with the code that is served now. `is_dagsters`: that code
    has Dagster's definitions."""

    generation: int | None = None
    manifest: str | None = None
    environment: str | None = None
    is_dagsters: bool = False


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """Its process is there. `start_why`: why it was started in that way; None, as is the method,
    where an earlier daemon started it and noted neither."""

    pid: int
    start_method: str | None
    start_why: str | None = None


@dataclass(frozen=True, slots=True)
class StartFailed:
    """No process could be started. `transient`: for want of the machine's; it is tried again."""

    summary: str
    transient: bool = False


@dataclass(frozen=True, slots=True)
class UserCodeBegun:
    """From now on something may have had an effect."""


@dataclass(frozen=True, slots=True)
class PlanTold:
    """By step with a time limit, how many seconds it may take."""

    timeouts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StepTold:
    """A step began or ended: `document` as an attempt tells it, without checks."""

    document: StepDocument


@dataclass(frozen=True, slots=True)
class CheckTold:
    """A check of the asset with that name ended."""

    asset: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """Its process is gone. `begun`: user code had begun. `result`: what it left, checked.

    `exit` and `signal` are both None where neither is known. `summary`: what ended it, where more
    is known than these say; `problem`: the same with what it printed last. `ago`: how many seconds
    before it was noticed.
    """

    exit: int | None = None
    signal: int | None = None
    begun: bool = True
    result: Mapping[str, Any] | None = None
    summary: str | None = None
    problem: Mapping[str, Any] | None = None
    ago: float = 0.0


@dataclass(frozen=True, slots=True)
class AttemptLost:
    """It began under an earlier daemon, and has ended without a result."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """`shutdown`: the daemon ends, and nobody asked for it. `summary`: why, where that is known."""

    shutdown: bool = False
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class KillAsked:
    """It is to end, and not to be waited for. `shutdown`: as of `CancelAsked`."""

    shutdown: bool = False


@dataclass(frozen=True, slots=True)
class MemoryExceeded:
    """The processes of the attempt take more than they may; `summary` says how much."""

    summary: str = "it took more memory than its memory_limit"


@dataclass(frozen=True, slots=True)
class MomentReached:
    """One of its deadlines may have passed."""


@dataclass(frozen=True, slots=True)
class DagsterTold:
    """Dagster knows of this end now."""

    end: UnsaidEnd


RunEvent: TypeAlias = (
    RunAdmitted
    | AttemptStarted
    | StartFailed
    | UserCodeBegun
    | PlanTold
    | StepTold
    | CheckTold
    | AttemptEnded
    | AttemptLost
    | CancelAsked
    | KillAsked
    | MemoryExceeded
    | MomentReached
    | DagsterTold
)


@dataclass(frozen=True, slots=True)
class StartAttempt:
    """Write its order, and start its process."""

    number: int
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalAttempt:
    """`terminate`: SIGTERM to its process. `kill`: SIGKILL to all that it has started."""

    number: int
    how: Literal["terminate", "kill"]


@dataclass(frozen=True, slots=True)
class TellDagster:
    """Tell Dagster of it, by the location and repository of the run."""

    location: str
    repository: str
    end: UnsaidEnd


RunEffect: TypeAlias = StartAttempt | SignalAttempt | TellDagster


@dataclass(frozen=True, slots=True)
class Moment:
    """`at` in Unix seconds, for people; `clock` of the monotonic clock, which is never set, for
    deadlines and durations.

    `chance` in [0, 1) places what is to be spread. `boot` names the start of the machine from which
    `clock` counts.
    """

    at: float
    clock: float
    chance: float = 0.5
    boot: str = ""

    def since(self, at: float | None, clock: float | None, boot: str) -> float | None:
        """Seconds from a moment to this one: by the clock, where that has counted since, else by
        the time of day. None: there was no such moment."""
        if at is None:
            return None
        is_counted = clock is not None and boot == self.boot
        return max(0.0, self.clock - clock if is_counted and clock is not None else self.at - at)

    def before(self, seconds: float) -> Moment:
        """So many seconds earlier."""
        return replace(self, at=self.at - seconds, clock=self.clock - seconds)
