"""What can happen to a location, and what a step asks to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codeloc_envs import Choice, Environment
from codelocd.core.state import State
from codelocd.model import BuildId, Cold, Ended, Policy, Problem, RunnerId, Snapshot


@dataclass(frozen=True, slots=True)
class Started:
    """A client wants the location to run."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A client wants the location to stop."""


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """A client wants it stopped, then started."""


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """A client wants a new runner, or the location's description changed."""


@dataclass(frozen=True, slots=True)
class SourcesChanged:
    """Watched content changed: `differing` files are not what is served. `inputs`: one of them
    decides about the environment. `locked`: git is at work. `paths` are those that changed."""

    differing: int
    inputs: bool = False
    locked: bool = False
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentChosen:
    """`inputs`: the files that the choice depends on, as far as is known."""

    build: BuildId
    choice: Choice
    inputs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentReady:
    """The environment is ready. `inputs`: all files that it depends on."""

    build: BuildId
    environment: Environment
    inputs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentFailed:
    """`passing`: the same build may succeed later, with nothing changed but the world.

    `inputs`: the files that the failure depends on, () where it depends on no others than before.
    """

    build: BuildId
    problem: Problem
    passing: bool = False
    inputs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentLost:
    """The environment is no longer what was built: the runner was not started. `chance` as for
    Exited."""

    runner: RunnerId
    problem: Problem
    chance: float = 0.5


@dataclass(frozen=True, slots=True)
class MachineLacks:
    """The attempt cannot go on because the machine lacks something for now, such as memory or
    descriptors.

    `number`: that of its build or its runner, `lives`: the runner's process is there. `chance` as
    for Exited.
    """

    number: int
    problem: Problem
    chance: float = 0.5
    lives: bool = False


@dataclass(frozen=True, slots=True)
class Launched:
    """The process exists; its time to load counts from now."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Loaded:
    """`current`: the disk still holds what it read. `locked`: git is at work there. `read`: globs
    of what it read that is no Python."""

    runner: RunnerId
    current: bool
    locked: bool = False
    read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diverged:
    """The load after a warm start did, or may have done, what a cold one would not.

    `cold` says what, `at` when, in Unix seconds.
    """

    runner: RunnerId
    cold: Cold
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The code did not load. `read` and `current` as for Loaded, as far as the load came; with the
    globs of what it missed."""

    runner: RunnerId
    problem: Problem
    read: tuple[str, ...] = ()
    current: bool = True


@dataclass(frozen=True, slots=True)
class Condemned:
    """The runner that serves must be replaced: it does not answer, or broke a limit. Clients know
    this event as `condemned`, from the name of the class."""

    runner: RunnerId
    problem: Problem


@dataclass(frozen=True, slots=True)
class LimitMetBeside:
    """Dagster's code server beside the runner, or a run of it, broke a limit and was ended. The
    runner serves on, and the server is started again."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Exited:
    """A runner's process has ended. `chance` in [0, 1) places a restart within its jitter.

    `ended` says which process and how; None for one that was never started. `cold`: it ended over
    a load for which its warm start may be to blame.
    """

    runner: RunnerId
    problem: Problem
    chance: float = 0.5
    ended: Ended | None = None
    cold: Cold | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """The definitions that an earlier daemon listed, as an answer to Recall."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Adopted:
    """A runner that an earlier daemon started serves on, as it did in that `generation`.

    `read` and `current` as for Loaded. Whether another environment is asked for is not known.
    """

    runner: RunnerId
    generation: int
    environment: Environment
    read: tuple[str, ...] = ()
    current: bool = True


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The policy has changed from `former`; the runner need not be replaced for that."""

    former: Policy


@dataclass(frozen=True, slots=True)
class Reverted:
    """The description is again the one by which the state was `before`, and by which what serves
    was loaded."""

    before: State


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The state's own deadline has come. `at`: when that was, in Unix seconds, for problems."""

    at: float = 0.0


Event = (
    Started
    | Stopped
    | RestartAsked
    | ReloadAsked
    | SourcesChanged
    | EnvironmentChosen
    | EnvironmentReady
    | EnvironmentFailed
    | EnvironmentLost
    | MachineLacks
    | Launched
    | Loaded
    | Diverged
    | LoadFailed
    | Condemned
    | LimitMetBeside
    | Exited
    | Adopted
    | PolicyChanged
    | Remembered
    | Reverted
    | DeadlinePassed
)


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the environment ready; answers EnvironmentReady or EnvironmentFailed."""

    build: BuildId


@dataclass(frozen=True, slots=True)
class CancelBuild:
    build: BuildId


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a runner; answers Launched, then Loaded, Diverged, LoadFailed or Exited.

    `cold`: why it must start without a warm interpreter; None where it may have one.
    """

    runner: RunnerId
    cold: Cold | None = None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A load failed after a warm start, and then went well without: remember that of its
    environment."""

    runner: RunnerId
    suspicion: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Watch the files that the state now names."""


@dataclass(frozen=True, slots=True)
class Inspect:
    """Compare what the runner read with the disk again; answers Loaded."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Explain:
    """Its time to load is over: find out where it hangs; answers LoadFailed."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Publish:
    """The runner serves: its definitions are listed, calls go to it."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The definitions are no longer listed."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Look for the definitions that an earlier daemon listed; answers Remembered if there are."""


@dataclass(frozen=True, slots=True)
class Restore:
    """List these definitions, although no runner serves them."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Retire:
    """Let the runner answer what it has accepted, then ask it to leave, then make it.

    `replaced`: another one serves, so that no client waits for its end.
    """

    runner: RunnerId
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """End the runner and its whole group at once."""

    runner: RunnerId


Effect = (
    Prepare
    | CancelBuild
    | Launch
    | Suspect
    | Follow
    | Inspect
    | Explain
    | Publish
    | Withdraw
    | Recall
    | Restore
    | Retire
    | Kill
)
