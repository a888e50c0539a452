"""What holds of a location between two events, whatever has happened to it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from codelocd.core.events import EnvironmentChosen, Event
from codelocd.core.state import State
from codelocd.daemon.location import Location
from codelocd.daemon.loop import Daemon
from codelocd.model import Phase


def hold(state: State, *, runners: Collection[int], builds: Collection[int], listed: bool) -> None:
    """`runners`: those that exist or are being started; `builds`: those under way; `listed`:
    whether definitions of the location are."""
    known = set(state.leaving)
    known |= {r for r in (state.serving, state.candidate) if r is not None}
    assert known == set(runners), "every runner is accounted for, and no other"
    assert set(builds) == ({state.build} if state.build is not None else set())
    assert state.listed == listed
    assert state.environment is not None or not state.environment_known
    assert state.candidate is not None or not state.loaded
    assert state.phase is Phase.STOPPING or not state.start_again
    _waits_for_something(state)
    if not state.wanted:
        assert state.serving is None
        assert state.phase in (Phase.STOPPED, Phase.STOPPING)


def _waits_for_something(state: State) -> None:
    """A phase that is to end has what ends it."""
    if state.phase is Phase.BUILDING:
        assert state.build is not None
    if state.phase is Phase.BACKOFF:
        assert state.deadline is not None
        assert state.problem is not None
    if state.phase is Phase.STARTING and state.candidate is None:
        assert state.deadline is not None
    if state.phase is Phase.STOPPING:
        assert state.leaving
    if state.phase is Phase.SERVING:
        assert state.serving is not None
    if state.phase not in (Phase.BUILDING, Phase.STARTING, Phase.BACKOFF):
        assert state.deadline is None


def hold_in(daemon: type[Daemon], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on, every daemon is looked at after each event; what did not hold is in the list."""
    broken: list[str] = []
    send = daemon.send

    def observed(self: Daemon, location: Location, event: Event, by: str | None = None) -> None:
        under_way = self._draining
        send(self, location, event, by)
        if under_way:
            return
        goes_on = isinstance(event, EnvironmentChosen)
        reporting = None if goes_on else asyncio.current_task()
        try:  # a daemon that ends lets the definitions go with it, and tells no subscriber
            hold(
                location.state,
                runners=set(location.runners) | _tasks(location, "RunnerStarts.launch", reporting),
                builds=_tasks(location, "Preparation.prepare", reporting),
                listed=location.state.listed if self._ends else location.snapshot is not None,
            )
        except AssertionError as error:
            broken.append(f"after {event}: {error}: {location.state}")

    monkeypatch.setattr(daemon, "send", observed)
    return broken


def _tasks(location: Location, work: str, ends: object) -> set[int]:
    """Those that are still at it: not the one that has just reported its end."""
    return {
        number
        for number, task in location.tasks.items()
        if work in repr(task.get_coro()) and task is not ends and not task.done()
    }
