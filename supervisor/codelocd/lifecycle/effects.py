"""What has to be done to the world for a location."""

from __future__ import annotations

from dataclasses import dataclass

from codelocd.model import BuildId, Cold, RunnerId, Snapshot


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

    `replaced`: another one serves, so that nobody waits for its end.
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
    | Inspect
    | Explain
    | Publish
    | Withdraw
    | Recall
    | Restore
    | Retire
    | Kill
)
