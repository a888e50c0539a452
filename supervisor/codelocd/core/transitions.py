"""From one state to the next: `step(state, event, now, policy) -> (state, effects)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from codelocd.core import events, moves, problems, restarts, takeover
from codelocd.core.events import (
    Explain,
    Follow,
    Inspect,
    Kill,
    Recall,
    Suspect,
    Withdraw,
)
from codelocd.core.moves import Step
from codelocd.core.state import State
from codelocd.model import LastExit, Phase, Policy


def step(state: State, event: events.Event, now: float, policy: Policy) -> Step:
    """The next state, and what has to be done to the world for it, in order."""
    after, effects = _HANDLERS[type(event)](state, event, now, policy)
    if after.read != state.read:
        effects = (Follow(), *effects)
    if after.lacks_definitions and not state.lacks_definitions:
        effects = (*effects, Recall())
    return after, effects


# --- wishes ------------------------------------------------------------------------------------


def _started(state: State, _event: events.Started, now: float, policy: Policy) -> Step:
    state = replace(state, wanted=True)
    if state.phase is Phase.STOPPING:
        return replace(state, start_again=True), ()
    if state.phase in (Phase.STOPPED, Phase.BACKOFF, Phase.FAILED):
        return moves.attempt(moves.forgiven(state), now, policy)
    return state, ()


def _stopped(state: State, _event: events.Stopped, now: float, policy: Policy) -> Step:
    state, effects = moves.let_go(replace(state, wanted=False))
    state = replace(state, listed=False, behind=False, problem=None, start_again=False)
    return moves.ended_if_gone(state, (*effects, Withdraw()), now, policy)


def _restart_asked(state: State, _event: events.RestartAsked, now: float, policy: Policy) -> Step:
    state, effects = moves.let_go(replace(moves.forgiven(state), wanted=True, start_again=True))
    return moves.ended_if_gone(state, effects, now, policy)


def _reload_asked(state: State, _event: events.ReloadAsked, now: float, policy: Policy) -> Step:
    if not state.wanted or state.phase is Phase.STOPPING:
        return state, ()  # a restart under way begins with everything anew in any case
    state, dropped = moves.abandon(moves.forgiven(state))
    return moves.attempt(replace(state, environment_known=False), now, policy, dropped)


# --- changes of the sources --------------------------------------------------------------------


def _sources_changed(
    state: State, event: events.SourcesChanged, now: float, policy: Policy
) -> Step:
    starting = state.phase is Phase.STARTING
    burst = takeover.changed(state.burst, event.differing, event.locked, now, starting=starting)
    state = replace(moves.forgiven(state), burst=burst, behind=state.listed)
    if not state.wanted or state.phase is Phase.STOPPING:
        return state, ()
    if event.inputs:
        return _inputs_changed(replace(state, environment_known=False), now, policy)
    if state.phase is Phase.BUILDING:
        return state, ()
    if state.phase is Phase.STARTING:
        return _outdated(state, now)
    return moves.attempt(state, now, policy)


def _inputs_changed(state: State, now: float, policy: Policy) -> Step:
    """Prepare the environment again first. But a load that writes these files itself is let finish
    after some tries."""
    if state.candidate is not None:
        if not takeover.may_drop(state.burst):
            return (_looked_at_later(state, now) if state.loaded else state), ()
        state = replace(state, burst=takeover.dropped(state.burst))
    state, dropped = moves.abandon(state)
    return moves.attempt(state, now, policy, dropped)


def _outdated(state: State, now: float) -> Step:
    """The attempt may have read sources that have changed since: drop it, or let it finish."""
    if state.candidate is None:
        return state, ()
    if not takeover.may_drop(state.burst):
        return (_looked_at_later(state, now) if state.loaded else state), ()
    return moves.again(state, now)


def _looked_at_later(state: State, now: float) -> State:
    return replace(state, deadline=now + takeover.QUIET)


# --- an attempt --------------------------------------------------------------------------------


def _environment_chosen(
    state: State, event: events.EnvironmentChosen, _now: float, _policy: Policy
) -> Step:
    if event.build != state.build:
        return state, ()
    return replace(state, choice=event.choice, inputs=event.inputs), ()


def _environment_ready(
    state: State, event: events.EnvironmentReady, _now: float, _policy: Policy
) -> Step:
    if event.build != state.build:
        return state, ()
    was_right = moves.goes_on(state, event)
    state = replace(
        state,
        build=None,
        environment=event.environment,
        environment_known=True,
        environment_fresh=True,
        inputs=event.inputs,
        unchecked=False,
    )
    if was_right:
        return replace(state, phase=Phase.SERVING, deadline=None), ()
    return moves.launch(state)


def _environment_failed(
    state: State, event: events.EnvironmentFailed, now: float, policy: Policy
) -> Step:
    """A network that is gone comes back by itself, a broken requirement does not."""
    if event.build != state.build:
        return state, ()
    state = replace(state, build=None, inputs=event.inputs or state.inputs)
    state = moves.given_up(state, event.problem)
    if event.passing and state.phase is Phase.FAILED and policy.restart == "on-failure":
        history = restarts.of_the_world(state.history)
        deadline = now + restarts.growing(history.streak, policy.backoff)
        return replace(state, phase=Phase.BACKOFF, history=history, deadline=deadline), ()
    return state, ()


def _environment_lost(
    state: State, event: events.EnvironmentLost, now: float, policy: Policy
) -> Step:
    """An environment that was used before is prepared again at once; one that was just made, after
    a pause."""
    if event.runner != state.candidate:
        return state, ()
    if state.environment_fresh:
        never_started = events.Exited(event.runner, event.problem, event.chance)
        return _exited(state, never_started, now, policy)
    state, effects = moves.abandon(replace(state, environment_known=False))
    return moves.attempt(state, now, policy, effects)


def _machine_lacks(state: State, event: events.MachineLacks, now: float, _policy: Policy) -> Step:
    """A shortage is no fault of the location: a runner that serves goes on, and no limit counts the
    failure."""
    if event.number not in (state.build, state.candidate):
        return state, ()
    effects: tuple[events.Effect, ...] = ()
    if event.lives:
        state, effects = moves.abandon(state)
    state = replace(state, build=None, candidate=None, loaded=False)
    return moves.wait_for_machine(state, event.problem, event.chance, now), effects


def _launched(state: State, event: events.Launched, now: float, policy: Policy) -> Step:
    if event.runner != state.candidate or state.loaded:
        return state, ()
    return replace(state, deadline=now + policy.start_timeout, environment_fresh=False), ()


def _loaded(state: State, event: events.Loaded, now: float, policy: Policy) -> Step:
    if event.runner != state.candidate:
        return state, ()
    suspicion = state.cold.suspicion if state.cold is not None and not state.loaded else ""
    read = tuple(sorted(event.read))
    state, effects = _judged(replace(state, loaded=True, read=read), event, now, policy)
    return state, (Suspect(event.runner, suspicion), *effects) if suspicion else effects


def _judged(state: State, event: events.Loaded, now: float, policy: Policy) -> Step:
    """Whether what has loaded takes over, waits, or is replaced."""
    if not event.current and takeover.may_drop(state.burst):
        return moves.again(state, now)
    look_again = takeover.hold_until(state.burst, event.locked, now)
    if look_again is not None:
        return replace(state, deadline=look_again), ()
    if event.current:
        return moves.take_over(state, now)
    if takeover.worth_another(state.burst, now):
        return moves.again(state, now)
    drops = state.burst.drops
    state, effects = moves.take_over(state, now)
    # A load that writes its own sources is not dropped as often again: it would never come to rest.
    state = replace(state, behind=True, burst=replace(takeover.CALM, drops=drops))
    return moves.attempt(state, now, policy, effects)


def _diverged(state: State, event: events.Diverged, _now: float, _policy: Policy) -> Step:
    """Load once more from a cold start; a second divergence is a failure."""
    if event.runner != state.candidate:
        return state, ()
    second = state.cold is None
    state, effects = moves.abandon(state)
    if second:
        return moves.launch(state, effects, event.cold)
    return moves.given_up(state, problems.diverged(event.cold.why, event.at)), effects


def _load_failed(state: State, event: events.LoadFailed, now: float, _policy: Policy) -> Step:
    if event.runner != state.candidate:
        return state, ()
    read = tuple(sorted({*state.read, *event.read}))
    if not event.current and takeover.is_owed_another(state.burst):
        return moves.again(replace(state, read=read), now)
    state, effects = moves.abandon(replace(state, read=read))
    return moves.given_up(state, event.problem), effects


# --- ends of runners ---------------------------------------------------------------------------


def _condemned(state: State, event: events.Condemned, _now: float, _policy: Policy) -> Step:
    if event.runner != state.serving:
        return state, ()
    return replace(state, condemned=event.problem), (Kill(event.runner),)


def _met_beside(state: State, event: events.LimitMetBeside, _now: float, _: Policy) -> Step:
    return moves.with_problem_beside(state, event.problem), ()


def _exited(state: State, event: events.Exited, now: float, policy: Policy) -> Step:
    if event.ended is not None:
        asked = event.runner in state.leaving
        state = replace(state, last_exit=LastExit(event.ended, asked))
    if event.runner in state.leaving:
        state = replace(state, leaving=state.leaving - {event.runner})
        return moves.ended_if_gone(state, (), now, policy)
    if event.runner in (state.candidate, state.serving):
        condemned = state.condemned if event.runner == state.serving else None
        state = replace(state, last_failure=condemned or event.problem)
    if event.runner == state.candidate:
        if event.cold is not None and state.cold is None and not state.loaded:
            return moves.launch(state, cold=event.cold)
        return _candidate_exited(replace(state, candidate=None, loaded=False), event, now, policy)
    if event.runner == state.serving:
        return _serving_exited(replace(state, serving=None), event, now, policy)
    return state, ()


def _candidate_exited(state: State, event: events.Exited, now: float, policy: Policy) -> Step:
    if state.serving is not None:
        # Its environment may be what is broken: the next attempt looks at it anew.
        return moves.given_up(replace(state, environment_known=False), event.problem), ()
    return moves.back_off(state, event.problem, 0.0, event.chance, now, policy), ()


def _serving_exited(state: State, event: events.Exited, now: float, policy: Policy) -> Step:
    problem = state.condemned or event.problem
    served_for = now - state.serving_since
    if state.phase in (Phase.BUILDING, Phase.STARTING, Phase.BACKOFF):
        return replace(state, problem=problem), ()
    if state.behind:
        return moves.given_up(state, problems.both(problem, state.problem)), ()
    state = moves.back_off(state, problem, served_for, event.chance, now, policy)
    return _deadline_passed(state, events.DeadlinePassed(), now, policy)  # the pause may be none


# --- deadlines ---------------------------------------------------------------------------------


def _deadline_passed(
    state: State, event: events.DeadlinePassed, now: float, policy: Policy
) -> Step:
    if state.deadline is None or now < state.deadline:
        return state, ()
    state = replace(state, deadline=None)
    if state.phase is Phase.BACKOFF:
        count = state.restarts if state.shortages else state.restarts + 1
        return moves.attempt(replace(state, restarts=count), now, policy)
    if state.phase is Phase.BUILDING:
        return _build_overdue(state, event, policy)
    return _start_overdue(state, now, policy)


def _policy_changed(state: State, event: events.PolicyChanged, now: float, policy: Policy) -> Step:
    """A wait under way ends when it would have, had it begun under the new policy."""
    if state.deadline is None:
        return state, ()
    if state.phase is Phase.BACKOFF:
        return state if state.shortages else moves.backed_off_by(state, now, policy), ()
    more = 0.0
    if state.phase is Phase.BUILDING:
        more = policy.build_timeout - event.former.build_timeout
    elif state.candidate is not None and not state.loaded:
        more = policy.start_timeout - event.former.start_timeout
    return replace(state, deadline=state.deadline + more), ()


def _build_overdue(state: State, event: events.DeadlinePassed, policy: Policy) -> Step:
    state, effects = moves.abandon(state)
    return moves.given_up(state, problems.slow_build(policy.build_timeout, event.at)), effects


def _start_overdue(state: State, now: float, policy: Policy) -> Step:
    if state.candidate is None:
        return moves.attempt(state, now, policy)
    return state, (Inspect(state.candidate) if state.loaded else Explain(state.candidate),)


_HANDLERS: dict[type, Callable[[State, Any, float, Policy], Step]] = {
    events.Started: _started,
    events.Stopped: _stopped,
    events.RestartAsked: _restart_asked,
    events.ReloadAsked: _reload_asked,
    events.SourcesChanged: _sources_changed,
    events.EnvironmentChosen: _environment_chosen,
    events.EnvironmentReady: _environment_ready,
    events.EnvironmentFailed: _environment_failed,
    events.EnvironmentLost: _environment_lost,
    events.MachineLacks: _machine_lacks,
    events.Launched: _launched,
    events.Loaded: _loaded,
    events.Diverged: _diverged,
    events.LoadFailed: _load_failed,
    events.Condemned: _condemned,
    events.LimitMetBeside: _met_beside,
    events.Exited: _exited,
    events.Adopted: moves.adopted,
    events.PolicyChanged: _policy_changed,
    events.Remembered: moves.remembered,
    events.Reverted: moves.reverted,
    events.DeadlinePassed: _deadline_passed,
}
