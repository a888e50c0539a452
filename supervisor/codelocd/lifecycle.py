"""What one location does next: `step(state, event, now, policy) -> (state, effects)`.

Nothing here touches the world. The clock is an argument and a deadline is a field of the
state, so there is no timer to cancel. Runners are known by numbers that never repeat within
a location: news of a runner that no longer counts changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from codelocd import restarts, takeover
from codelocd.model import BuildId, Phase, Policy, Problem, RunnerId
from codelocd.restarts import NO_FAILURES, History

# --- events: what happened ---------------------------------------------------------------------


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
    build: BuildId
    problem: Problem


@dataclass(frozen=True, slots=True)
class Launched:
    """The process exists; its time to load counts from now."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Inspected:
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
    | Launched
    | Inspected
    | LoadFailed
    | Condemned
    | Exited
    | DeadlinePassed
)

# --- effects: what to do -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the environment ready; answers EnvironmentReady or EnvironmentFailed."""

    build: BuildId


@dataclass(frozen=True, slots=True)
class CancelBuild:
    build: BuildId


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a runner; answers Launched, then Inspected, LoadFailed or Exited."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Inspect:
    """Compare what the runner read with the disk again; answers Inspected."""

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
class Retire:
    """Let the runner answer what it has accepted, then ask it to leave, then make it."""

    runner: RunnerId


@dataclass(frozen=True, slots=True)
class Kill:
    """End the runner and its whole group at once."""

    runner: RunnerId


Effect = Prepare | CancelBuild | Launch | Inspect | Explain | Publish | Withdraw | Retire | Kill
Step = tuple["State", tuple[Effect, ...]]

# --- the state ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides what a location does next.

    `phase` is that of the newest attempt, or SERVING when none is under way. `candidate`
    is a runner that has not taken over, `loaded` says that it could. `listed`: its last good
    definitions are in the registry; `behind`: they are not those of the newest source.
    """

    phase: Phase = Phase.STOPPED
    wanted: bool = False
    start_again: bool = False
    build: BuildId | None = None
    environment_known: bool = False
    candidate: RunnerId | None = None
    loaded: bool = False
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
    burst: takeover.Burst = takeover.CALM
    history: History = NO_FAILURES

    @property
    def shown(self) -> str:
        """`state` of the contract: what callers get."""
        return Phase.SERVING.value if self.serving is not None else self.phase.value

    @property
    def reloading(self) -> str | None:
        """`reloading` of the contract: the candidate beside the runner that serves."""
        under_way = self.phase in (Phase.BUILDING, Phase.STARTING)
        return self.phase.value if self.serving is not None and under_way else None

    @property
    def stale(self) -> bool:
        """What is listed is not the newest source, loaded and served."""
        return self.listed and (self.behind or self.serving is None)

    @property
    def settled(self) -> bool:
        """No attempt is under way and none is planned for by itself."""
        return self.phase in (Phase.STOPPED, Phase.SERVING, Phase.FAILED)


def step(state: State, event: Event, now: float, policy: Policy) -> Step:
    """The next state, and what has to be done to the world for it, in order."""
    return _HANDLERS[type(event)](state, event, now, policy)


# --- wishes ------------------------------------------------------------------------------------


def _started(state: State, _event: Started, now: float, policy: Policy) -> Step:
    state = replace(state, wanted=True)
    if state.phase is Phase.STOPPING:
        return replace(state, start_again=True), ()
    if state.phase in (Phase.STOPPED, Phase.BACKOFF, Phase.FAILED):
        return _attempt(_forgiven(state), now, policy)
    return state, ()


def _stopped(state: State, _event: Stopped, now: float, policy: Policy) -> Step:
    state, effects = _let_go(replace(state, wanted=False))
    state = replace(state, listed=False, behind=False, problem=None, start_again=False)
    return _ended_if_gone(state, (*effects, Withdraw()), now, policy)


def _restart_asked(state: State, _event: RestartAsked, now: float, policy: Policy) -> Step:
    state, effects = _let_go(replace(_forgiven(state), wanted=True, start_again=True))
    return _ended_if_gone(state, effects, now, policy)


def _reload_asked(state: State, _event: ReloadAsked, now: float, policy: Policy) -> Step:
    if not state.wanted:
        return state, ()
    state, dropped = _abandon(_forgiven(state))
    return _attempt(replace(state, environment_known=False), now, policy, dropped)


# --- changes of the sources --------------------------------------------------------------------


def _sources_changed(state: State, event: SourcesChanged, now: float, policy: Policy) -> Step:
    burst = takeover.changed(state.burst, event.differing, event.locked, now)
    state = replace(_forgiven(state), burst=burst, behind=state.listed)
    if not state.wanted or state.phase is Phase.STOPPING:
        return state, ()
    if event.inputs:
        state, dropped = _abandon(replace(state, environment_known=False))
        return _attempt(state, now, policy, dropped)
    if state.phase is Phase.BUILDING:
        return state, ()
    if state.phase is Phase.STARTING:
        return _outdated(state, now)
    return _attempt(state, now, policy)


def _outdated(state: State, now: float) -> Step:
    """The attempt has read, or may have read, what is no longer there."""
    if state.candidate is None:
        return state, ()
    if not takeover.may_drop(state.burst):
        return (_looked_at_later(state, now) if state.loaded else state), ()
    return _again(state, now)


def _again(state: State, now: float) -> Step:
    state, effects = _abandon(replace(state, burst=takeover.dropped(state.burst)))
    pause = takeover.relaunch_pause(state.burst)
    return replace(state, phase=Phase.STARTING, deadline=now + pause), effects


def _looked_at_later(state: State, now: float) -> State:
    return replace(state, deadline=now + takeover.QUIET)


# --- an attempt --------------------------------------------------------------------------------


def _attempt(state: State, now: float, policy: Policy, before: tuple[Effect, ...] = ()) -> Step:
    """Begin an attempt: the environment first, unless it is known to be as asked for."""
    if state.environment_known:
        return _launch(state, before)
    number = state.last_id + 1
    state = replace(
        state,
        phase=Phase.BUILDING,
        build=BuildId(number),
        last_id=number,
        deadline=now + policy.build_timeout,
    )
    return state, (*before, Prepare(BuildId(number)))


def _launch(state: State, before: tuple[Effect, ...] = ()) -> Step:
    number = state.last_id + 1
    state = replace(
        state,
        phase=Phase.STARTING,
        candidate=RunnerId(number),
        loaded=False,
        last_id=number,
        deadline=None,
    )
    return state, (*before, Launch(RunnerId(number)))


def _environment_ready(state: State, event: EnvironmentReady, _now: float, _policy: Policy) -> Step:
    if event.build != state.build:
        return state, ()
    return _launch(replace(state, build=None, environment_known=True))


def _environment_failed(
    state: State, event: EnvironmentFailed, _now: float, _policy: Policy
) -> Step:
    if event.build != state.build:
        return state, ()
    return _given_up(replace(state, build=None), event.problem), ()


def _launched(state: State, event: Launched, now: float, policy: Policy) -> Step:
    if event.runner != state.candidate or state.loaded:
        return state, ()
    return replace(state, deadline=now + policy.start_timeout), ()


def _inspected(state: State, event: Inspected, now: float, policy: Policy) -> Step:
    if event.runner != state.candidate:
        return state, ()
    state = replace(state, loaded=True)
    if not event.current and takeover.may_drop(state.burst):
        return _again(state, now)
    look_again = takeover.hold_until(state.burst, event.locked, now)
    if look_again is not None:
        return replace(state, deadline=look_again), ()
    if event.current:
        return _take_over(state, now)
    if takeover.worth_another(state.burst, now):
        return _again(state, now)
    state, effects = _take_over(state, now)
    return _attempt(replace(state, behind=True), now, policy, effects)


def _take_over(state: State, now: float) -> Step:
    runner, former = state.candidate, state.serving
    assert runner is not None
    state = replace(
        state,
        phase=Phase.SERVING,
        candidate=None,
        loaded=False,
        serving=runner,
        serving_since=now,
        condemned=None,
        leaving=state.leaving | ({former} if former is not None else set()),
        listed=True,
        behind=False,
        problem=None,
        deadline=None,
        generation=state.generation + 1,
        burst=takeover.CALM,
    )
    retire = () if former is None else (Retire(former),)
    return state, (Publish(runner), *retire)


def _load_failed(state: State, event: LoadFailed, _now: float, _policy: Policy) -> Step:
    if event.runner != state.candidate:
        return state, ()
    state, effects = _abandon(state)
    return _given_up(state, event.problem), effects


def _given_up(state: State, problem: Problem) -> State:
    """The attempt failed for a reason that trying the same again would not mend."""
    phase = Phase.FAILED if state.serving is None else Phase.SERVING
    return replace(state, phase=phase, problem=problem, behind=state.listed, deadline=None)


# --- ends of runners ---------------------------------------------------------------------------


def _condemned(state: State, event: Condemned, _now: float, _policy: Policy) -> Step:
    if event.runner != state.serving:
        return state, ()
    return replace(state, condemned=event.problem), (Kill(event.runner),)


def _exited(state: State, event: Exited, now: float, policy: Policy) -> Step:
    if event.runner in state.leaving:
        state = replace(state, leaving=state.leaving - {event.runner})
        return _ended_if_gone(state, (), now, policy)
    if event.runner == state.candidate:
        return _candidate_exited(replace(state, candidate=None), event, now, policy)
    if event.runner == state.serving:
        return _serving_exited(replace(state, serving=None), event, now, policy)
    return state, ()


def _candidate_exited(state: State, event: Exited, now: float, policy: Policy) -> Step:
    if state.serving is not None:
        return _given_up(state, event.problem), ()
    return _back_off(state, event.problem, 0.0, event.chance, now, policy), ()


def _serving_exited(state: State, event: Exited, now: float, policy: Policy) -> Step:
    problem = state.condemned or event.problem
    served_for = now - state.serving_since
    state = replace(state, condemned=None)
    if state.phase in (Phase.BUILDING, Phase.STARTING):
        return replace(state, problem=problem), ()
    if state.behind:
        return _given_up(state, _both(problem, state.problem)), ()
    state = _back_off(state, problem, served_for, event.chance, now, policy)
    if state.phase is Phase.BACKOFF and state.deadline == now:
        return _deadline_passed(state, DeadlinePassed(), now, policy)
    return state, ()


def _both(death: Problem, cause: Problem | None) -> Problem:
    """A stale runner that died cannot be brought back: the newer source does not load."""
    if cause is None:
        return death
    return replace(
        cause,
        summary=f"{cause.summary}; and the last good runner is gone: {death.summary}",
        detail=f"{cause.detail}\n\nThe last good runner is gone: {death.summary}\n{death.detail}",
        at=death.at,
    )


def _back_off(
    state: State, problem: Problem, served_for: float, chance: float, now: float, policy: Policy
) -> State:
    history = restarts.record(state.history, now, served_for, policy)
    wait = restarts.pause(history, policy, chance)
    state = replace(state, history=history, environment_known=False)
    if wait is None:
        return _given_up(state, _final(problem, history, policy))
    return replace(state, phase=Phase.BACKOFF, problem=problem, deadline=now + wait)


def _final(problem: Problem, history: History, policy: Policy) -> Problem:
    if policy.restart == "never":
        return problem
    count, period = len(history.failures), policy.restart_limit.period
    summary = f"{problem.summary}; gave up after {count} failures within {period:g} s"
    return replace(problem, summary=summary)


# --- deadlines ---------------------------------------------------------------------------------


def _deadline_passed(state: State, _event: DeadlinePassed, now: float, policy: Policy) -> Step:
    if state.deadline is None or now < state.deadline:
        return state, ()
    state = replace(state, deadline=None)
    if state.phase is Phase.BACKOFF:
        return _attempt(replace(state, restarts=state.restarts + 1), now, policy)
    if state.phase is Phase.BUILDING:
        return _build_overdue(state, now, policy)
    if state.phase is Phase.STARTING:
        return _start_overdue(state)
    return state, ()


def _build_overdue(state: State, now: float, policy: Policy) -> Step:
    state, effects = _abandon(state)
    summary = (
        f"building the environment took longer than {policy.build_timeout:g} s (build_timeout)"
    )
    return _given_up(state, Problem("environment", summary)), effects


def _start_overdue(state: State) -> Step:
    if state.candidate is None:
        return _launch(state)
    return state, (Inspect(state.candidate) if state.loaded else Explain(state.candidate),)


# --- shared steps ------------------------------------------------------------------------------


def _forgiven(state: State) -> State:
    """Somebody acted: failures of the past no longer count."""
    return replace(state, history=NO_FAILURES)


def _abandon(state: State) -> Step:
    """Drop the attempt under way, whatever it is doing."""
    effects: list[Effect] = []
    if state.build is not None:
        effects.append(CancelBuild(state.build))
    leaving = state.leaving
    if state.candidate is not None:
        effects.append(Kill(state.candidate))
        leaving |= {state.candidate}
    state = replace(state, build=None, candidate=None, loaded=False, leaving=leaving, deadline=None)
    return state, tuple(effects)


def _let_go(state: State) -> Step:
    """Drop the attempt and let the runner that serves leave."""
    state, effects = _abandon(state)
    if state.serving is not None:
        effects = (*effects, Retire(state.serving))
        state = replace(state, serving=None, leaving=state.leaving | {state.serving})
    return replace(state, phase=Phase.STOPPING, condemned=None, burst=takeover.CALM), effects


def _ended_if_gone(state: State, effects: tuple[Effect, ...], now: float, policy: Policy) -> Step:
    if state.phase is not Phase.STOPPING or state.leaving:
        return state, effects
    if not state.start_again:
        return replace(state, phase=Phase.STOPPED), effects
    return _attempt(
        replace(state, start_again=False, environment_known=False), now, policy, effects
    )


_HANDLERS: dict[type, Callable[[State, Any, float, Policy], Step]] = {
    Started: _started,
    Stopped: _stopped,
    RestartAsked: _restart_asked,
    ReloadAsked: _reload_asked,
    SourcesChanged: _sources_changed,
    EnvironmentReady: _environment_ready,
    EnvironmentFailed: _environment_failed,
    Launched: _launched,
    Inspected: _inspected,
    LoadFailed: _load_failed,
    Condemned: _condemned,
    Exited: _exited,
    DeadlinePassed: _deadline_passed,
}
