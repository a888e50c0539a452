"""What can happen to a location."""

from __future__ import annotations

from dataclasses import dataclass

from codelocd.model import BuildId, Problem, RunnerId


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody wants the location."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nobody wants the location any more."""


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """Somebody wants it stopped, then started."""


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """Somebody wants a new runner, or the location's description changed."""


@dataclass(frozen=True, slots=True)
class SourcesChanged:
    """Watched content changed: `differing` files are not what is served.

    `inputs`: one of them decides about the environment. `locked`: git is at work.
    """

    differing: int
    inputs: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True)
class EnvironmentReady:
    build: BuildId


@dataclass(frozen=True, slots=True)
class EnvironmentFailed:
    """`passing`: the same build may succeed later, with nothing changed but the world."""

    build: BuildId
    problem: Problem
    passing: bool = False


@dataclass(frozen=True, slots=True)
class EnvironmentLost:
    """The environment is no longer what was built, seen when a runner was to start in it."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Launched:
    """The process exists; its time to load counts from now."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Loaded:
    """The runner has loaded.

    `current`: the disk still holds what it read. `locked`: git is at work there.
    """

    runner: RunnerId
    current: bool
    locked: bool = False


@dataclass(frozen=True, slots=True)
class LoadFailed:
    runner: RunnerId
    problem: Problem


@dataclass(frozen=True, slots=True)
class Condemned:
    """The runner that serves must be replaced: it does not answer, or broke a limit."""

    runner: RunnerId
    problem: Problem


@dataclass(frozen=True, slots=True)
class Exited:
    """A runner's process has ended. `chance` in [0, 1) places a restart within its jitter."""

    runner: RunnerId
    problem: Problem
    chance: float = 0.5


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The state's own deadline has come."""


Event = (
    Started
    | Stopped
    | RestartAsked
    | ReloadAsked
    | SourcesChanged
    | EnvironmentReady
    | EnvironmentFailed
    | EnvironmentLost
    | Launched
    | Loaded
    | LoadFailed
    | Condemned
    | Exited
    | DeadlinePassed
)
