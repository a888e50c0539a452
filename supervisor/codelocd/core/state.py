"""Everything that decides what a location does next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeloc_envs import Choice, Environment
from codelocd.core import takeover
from codelocd.core.restarts import NO_FAILURES, RestartHistory
from codelocd.model import BuildId, Cold, LastExit, Phase, Problem, RunnerId

if TYPE_CHECKING:
    from codelocd.documents.locations import CandidateState, LocationState

UNDER_WAY = frozenset({Phase.BUILDING, Phase.STARTING, Phase.STOPPING})
"""Phases that end by themselves with an outcome."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides what a location does next.

    `phase` is that of the newest attempt, or SERVING when none is under way. `candidate`
    is a runner that has not taken over, `loaded` says that it could; `cold`, that it is the second
    try of an attempt whose warm start is not to be trusted, and why. `listed`: its last good
    definitions are in the registry; `behind`: they are not those of the newest source.

    `environment` is the newest that was ready, `environment_known`: it is still what is asked for;
    `environment_fresh`: no runner was started in it yet. `choice` says why it is that one, and
    `inputs` are the files that this depends on. `read`: globs of what the newest load read that is
    no Python; one that failed tells only a part of it. `shortages`: tries in a row that the
    machine had no means for; while it waits for them, phase is BACKOFF, beside a runner that
    serves, too. `last_failure`: why a runner last ended that was not told to; it stays when
    another serves. `unchecked`: what serves was adopted, and it is not known yet whether its
    environment is still what is asked for. `attempt`: the number of the newest attempt: that
    of its first build or runner; 0 before the first.
    """

    phase: Phase = Phase.STOPPED
    wanted: bool = False
    start_again: bool = False
    build: BuildId | None = None
    environment_known: bool = False
    environment_fresh: bool = False
    environment: Environment | None = None
    choice: Choice | None = None
    inputs: tuple[Path, ...] = ()
    read: tuple[str, ...] = ()
    candidate: RunnerId | None = None
    loaded: bool = False
    cold: Cold | None = None
    serving: RunnerId | None = None
    serving_since: float = 0.0
    condemned: Problem | None = None
    leaving: frozenset[RunnerId] = frozenset()
    listed: bool = False
    behind: bool = False
    problem: Problem | None = None
    deadline: float | None = None
    generation: int = 0
    restarts: int = 0
    last_id: int = 0
    attempt: int = 0
    burst: takeover.Burst = takeover.CALM
    history: RestartHistory = NO_FAILURES
    shortages: int = 0
    last_exit: LastExit | None = None
    last_failure: Problem | None = None
    unchecked: bool = False

    @property
    def shown(self) -> LocationState:
        """`state` of the contract: what callers get."""
        return "serving" if self.serving is not None else self.phase.value

    @property
    def reloading(self) -> CandidateState | None:
        """`reloading` of the contract: the candidate beside the runner that serves."""
        if self.serving is None:
            return None
        if self.phase is Phase.BUILDING:
            return "building"
        return "starting" if self.phase is Phase.STARTING else None

    @property
    def stale(self) -> bool:
        """What is listed is not the newest source, loaded and served."""
        return self.listed and (self.behind or self.serving is None)

    @property
    def lacks_definitions(self) -> bool:
        """Whether the kept definitions of an earlier daemon are needed: the location fails, as only
        one that is wanted does, and lists none."""
        return self.phase in (Phase.FAILED, Phase.BACKOFF) and not self.listed

    @property
    def may_adopt(self) -> bool:
        """Whether what an earlier daemon left may serve: no runner of this daemon is there yet."""
        waits = self.phase in (Phase.BUILDING, Phase.BACKOFF, Phase.FAILED) and self.wanted
        none = self.serving is None and self.candidate is None and not self.leaving
        return self.phase is Phase.STOPPED or (waits and none)

    @property
    def settled(self) -> bool:
        """No attempt is under way and none is planned for by itself."""
        return self.phase in (Phase.STOPPED, Phase.SERVING, Phase.FAILED)
