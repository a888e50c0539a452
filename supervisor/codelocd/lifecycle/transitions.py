"""From one state to the next: `step(state, event, now, policy) -> (state, effects)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from codelocd import problems, restarts, takeover
from codelocd.lifecycle.effects import (
    CancelBuild,
    Effect,
    Explain,
    Inspect,
    Kill,
    Launch,
    Prepare,
    Publish,
    Retire,
    Withdraw,
)
from codelocd.lifecycle.events import (
    Condemned,
    DeadlinePassed,
    EnvironmentFailed,
    EnvironmentLost,
    EnvironmentReady,
    Event,
    Exited,
    Launched,
    Loaded,
    LoadFailed,
    ReloadAsked,
    RestartAsked,
    SourcesChanged,
    Started,
    Stopped,
)
from codelocd.lifecycle.state import State
from codelocd.model import BuildId, Phase, Policy, Problem, RunnerId
from codelocd.restarts import NO_FAILURES

Step: TypeAlias = tuple[State, tuple[Effect, ...]]


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
    if not state.wanted or state.phase is Phase.STOPPING:
        return state, ()  # a restart under way begins with everything anew in any case
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


def _environment_failed(state: State, event: EnvironmentFailed, now: float, policy: Policy) -> Step:
    """A network that is gone comes back by itself, a broken requirement does not."""
    if event.build != state.build:
        return state, ()
    state = _given_up(replace(state, build=None), event.problem)
    if event.passing and state.phase is Phase.FAILED and policy.restart == "on-failure":
        history = restarts.of_the_world(state.history)
        deadline = now + restarts.growing(history, policy)
        return replace(state, phase=Phase.BACKOFF, history=history, deadline=deadline), ()
    return state, ()


def _environment_lost(state: State, event: EnvironmentLost, now: float, policy: Policy) -> Step:
    if event.runner != state.candidate:
        return state, ()
    state, effects = _abandon(replace(state, environment_known=False))
    return _attempt(state, now, policy, effects)


def _launched(state: State, event: Launched, now: float, policy: Policy) -> Step:
    if event.runner != state.candidate or state.loaded:
        return state, ()
    return replace(state, deadline=now + policy.start_timeout), ()


def _loaded(state: State, event: Loaded, now: float, policy: Policy) -> Step:
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
        # Its environment may be what is broken: the next attempt looks at it anew.
        return _given_up(replace(state, environment_known=False), event.problem), ()
    return _back_off(state, event.problem, 0.0, event.chance, now, policy), ()


def _serving_exited(state: State, event: Exited, now: float, policy: Policy) -> Step:
    problem = state.condemned or event.problem
    served_for = now - state.serving_since
    state = replace(state, condemned=None)
    if state.phase in (Phase.BUILDING, Phase.STARTING):
        return replace(state, problem=problem), ()
    if state.behind:
        return _given_up(state, problems.both(problem, state.problem)), ()
    state = _back_off(state, problem, served_for, event.chance, now, policy)
    if state.phase is Phase.BACKOFF and state.deadline == now:
        return _deadline_passed(state, DeadlinePassed(), now, policy)
    return state, ()


def _back_off(
    state: State, problem: Problem, served_for: float, chance: float, now: float, policy: Policy
) -> State:
    history = restarts.record(state.history, now, served_for, policy)
    wait = restarts.pause(history, policy, chance)
    state = replace(state, history=history, environment_known=False)
    if wait is None:
        return _given_up(state, problems.final(problem, history, policy))
    return replace(state, phase=Phase.BACKOFF, problem=problem, deadline=now + wait)


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
    return _given_up(state, problems.slow_build(policy.build_timeout)), effects


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
    EnvironmentLost: _environment_lost,
    Launched: _launched,
    Loaded: _loaded,
    LoadFailed: _load_failed,
    Condemned: _condemned,
    Exited: _exited,
    DeadlinePassed: _deadline_passed,
}
