"""Transitions for what an earlier daemon left: a runner to adopt, or the definitions that it
listed."""

from __future__ import annotations

from dataclasses import replace

from codelocd.core import events, moves
from codelocd.core.events import Publish, Restore
from codelocd.core.moves import Step
from codelocd.core.state import State
from codelocd.model import Phase, Policy


def adopted(state: State, event: events.Adopted, now: float, policy: Policy) -> Step:
    """The adopted runner serves at once. What changed while no daemon ran leads to an ordinary
    takeover."""
    if state.phase is not Phase.STOPPED:
        return state, ()
    state = replace(
        state,
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
    state, effects = moves.attempt(state, now, policy, (Publish(event.runner),))
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
