"""The steps that several transitions share: each gives the next state, and what it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from codelocd.core import events, problems, restarts, takeover
from codelocd.core.events import (
    CancelBuild,
    Effect,
    Kill,
    Launch,
    Prepare,
    Publish,
    Restore,
    Retire,
)
from codelocd.core.restarts import NO_FAILURES
from codelocd.core.state import State
from codelocd.model import BuildId, Cold, Phase, Policy, Problem, RunnerId

Step: TypeAlias = tuple[State, tuple[Effect, ...]]


def attempt(state: State, now: float, policy: Policy, before: tuple[Effect, ...] = ()) -> Step:
    """Begin an attempt: the environment first, unless it is known to be as asked for."""
    number = state.last_id + 1
    state = replace(state, attempt=number)
    if state.environment_known:
        return launch(state, before)
    state = replace(
        state,
        phase=Phase.BUILDING,
        build=BuildId(number),
        last_id=number,
        deadline=now + policy.build_timeout,
    )
    return state, (*before, Prepare(BuildId(number)))


def launch(state: State, before: tuple[Effect, ...] = (), cold: Cold | None = None) -> Step:
    number = state.last_id + 1
    state = replace(
        state,
        phase=Phase.STARTING,
        candidate=RunnerId(number),
        cold=cold,
        last_id=number,
        deadline=None,
    )
    return state, (*before, Launch(RunnerId(number), cold))


def again(state: State, now: float) -> Step:
    state, effects = abandon(replace(state, burst=takeover.dropped(state.burst)))
    pause = takeover.relaunch_pause(state.burst)
    return replace(state, deadline=now + pause), effects


def take_over(state: State, now: float) -> Step:
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
        shortages=0,
    )
    retire = () if former is None else (Retire(former, replaced=True),)
    return state, (Publish(runner), *retire)


def given_up(state: State, problem: Problem) -> State:
    """The attempt failed, and trying the same again would not help."""
    phase = Phase.FAILED if state.serving is None else Phase.SERVING
    return replace(
        state, phase=phase, problem=problem, behind=state.listed, deadline=None, shortages=0
    )


def with_problem_beside(state: State, problem: Problem) -> State:
    """The runner serves on. The problem is shown until the next load, unless the runner itself has
    one: that says more."""
    shown = state.phase is Phase.SERVING and not state.behind
    return replace(state, last_failure=problem, problem=problem if shown else state.problem)


def wait_for_machine(state: State, problem: Problem, chance: float, now: float) -> State:
    """The attempt failed for a shortage of the machine: try again, without a limit."""
    streak = state.shortages + 1
    return replace(
        state,
        phase=Phase.BACKOFF,
        problem=problem,
        behind=state.listed,
        shortages=streak,
        deadline=now + restarts.shortage_pause(streak, chance),
    )


def back_off(
    state: State, problem: Problem, served_for: float, chance: float, now: float, policy: Policy
) -> State:
    history = restarts.record(state.history, now, served_for, policy)
    wait = restarts.pause(history, policy, chance)
    state = replace(state, history=history, environment_known=False, shortages=0)
    if wait is None:
        return given_up(state, problems.final(problem, history, policy))
    return replace(state, phase=Phase.BACKOFF, problem=problem, deadline=now + wait)


def backed_off_by(state: State, now: float, policy: Policy) -> State:
    """The policy changed during a pause: wait at most as long as the new one would from now on."""
    assert state.deadline is not None
    assert state.problem is not None
    if policy.restart == "never":
        return given_up(state, state.problem)
    wait = restarts.growing(state.history.streak, policy.backoff)
    return replace(state, deadline=min(state.deadline, now + wait))


def forgiven(state: State) -> State:
    """A client or a save asked for an attempt: earlier failures no longer count."""
    return replace(state, history=NO_FAILURES, shortages=0)


def abandon(state: State) -> Step:
    """Drop the attempt under way, whatever it is doing."""
    effects: list[Effect] = []
    if state.build is not None:
        effects.append(CancelBuild(state.build))
    leaving = state.leaving
    if state.candidate is not None:
        effects.append(Kill(state.candidate))
        leaving |= {state.candidate}
    state = replace(
        state,
        build=None,
        candidate=None,
        loaded=False,
        leaving=leaving,
        deadline=None,
        unchecked=False,
    )
    return state, tuple(effects)


def let_go(state: State) -> Step:
    """Drop the attempt and let the runner that serves leave."""
    state, effects = abandon(state)
    if state.serving is not None:
        effects = (*effects, Retire(state.serving))
        state = replace(state, serving=None, leaving=state.leaving | {state.serving})
    return replace(state, phase=Phase.STOPPING, burst=takeover.CALM), effects


def ended_if_gone(state: State, effects: tuple[Effect, ...], now: float, policy: Policy) -> Step:
    if state.phase is not Phase.STOPPING or state.leaving:
        return state, effects
    if not state.start_again:
        return replace(state, phase=Phase.STOPPED), effects
    return attempt(replace(state, start_again=False, environment_known=False), now, policy, effects)


# --- what an earlier daemon left ---------------------------------------------------------------


def adopted(state: State, event: events.Adopted, now: float, policy: Policy) -> Step:
    """The adopted runner serves at once. What changed while no daemon ran leads to an ordinary
    takeover. One that is found late takes the place of an attempt that has no runner yet."""
    if not state.may_adopt:
        return state, ()
    state, dropped = abandon(state)
    state = replace(
        state,
        environment_known=False,
        problem=None,
        shortages=0,
        wanted=True,
        serving=event.runner,
        serving_since=now,
        last_id=max(state.last_id, event.runner),
        generation=event.generation,
        environment=event.environment,
        read=event.read,
        listed=True,
        behind=not event.current,
    )
    state, effects = attempt(state, now, policy, (*dropped, Publish(event.runner)))
    return replace(state, unchecked=True), effects


def goes_on(state: State, event: events.EnvironmentReady) -> bool:
    """Whether this is the environment of an adopted runner, and nothing else calls for another."""
    known = state.environment
    right = known is not None and event.environment.key == known.key
    return right and state.unchecked and state.serving is not None and not state.behind


def remembered(state: State, event: events.Remembered, _now: float, _policy: Policy) -> Step:
    """List the kept definitions of an earlier daemon while the code does not load."""
    if not state.lacks_definitions:
        return state, ()
    return replace(state, listed=True, behind=True), (Restore(event.snapshot),)


# --- what is taken back ------------------------------------------------------------------------


def reverted(state: State, event: events.Reverted, now: float, policy: Policy) -> Step:
    """What serves goes on as if nothing had been tried. Where nothing does, the former description
    is tried again."""
    if not state.wanted or state.phase is Phase.STOPPING:
        return state, ()
    state, effects = abandon(forgiven(state))
    state = replace(
        state,
        environment=event.before.environment,
        choice=event.before.choice,
        inputs=event.before.inputs,
        read=event.before.read,
        environment_known=False,
        burst=takeover.CALM,
    )
    if state.serving is None:
        return attempt(state, now, policy, effects)
    behind, problem = event.before.behind and state.listed, event.before.problem
    return replace(state, phase=Phase.SERVING, behind=behind, problem=problem), effects
