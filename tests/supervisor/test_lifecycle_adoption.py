"""Stories of one location whose runner an earlier daemon has left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codelocd.core.events import (
    Adopted,
    CancelBuild,
    EnvironmentFailed,
    EnvironmentReady,
    Event,
    Exited,
    Launch,
    Prepare,
    Publish,
    ReloadAsked,
    Retire,
    SourcesChanged,
    Started,
    Stopped,
    Withdraw,
)
from codelocd.model import Phase, RunnerId
from tests.supervisor.stories import ENVIRONMENT, INSTALLER, Story

FIRST = RunnerId(1)


def adopted(*, current: bool = True) -> Story:
    return Story().tell(Adopted(FIRST, 7, ENVIRONMENT, (), current))


def test_it_serves_at_once_and_its_environment_is_looked_up_beside() -> None:
    story = adopted()
    assert story.effects == [Publish(FIRST), Prepare(story.build)]
    assert (story.state.shown, story.state.generation, story.state.restarts) == ("serving", 7, 0)
    assert not story.state.stale


def test_the_same_environment_starts_nothing() -> None:
    story = adopted().environment_ready()
    assert story.effects == []
    assert (story.state.phase, story.state.serving) == (Phase.SERVING, FIRST)
    assert story.state.environment_known
    assert (story.state.unchecked, story.state.deadline) == (False, None)


def test_another_environment_is_an_ordinary_takeover() -> None:
    story = adopted()
    assert story.state.build is not None
    story.tell(EnvironmentReady(story.state.build, replace(ENVIRONMENT, key="another")))
    (launch,) = story.effects
    assert isinstance(launch, Launch)
    story.loaded()
    assert story.effects == [Publish(launch.runner), Retire(FIRST, replaced=True)]
    assert story.state.generation == 8


@pytest.mark.parametrize("event", [SourcesChanged(1), ReloadAsked()])
def test_what_changes_meanwhile_is_loaded(event: Event) -> None:
    story = adopted().tell(event).environment_ready()
    assert [type(effect) for effect in story.effects] == [Launch]


def test_what_changed_before_is_loaded() -> None:
    story = adopted(current=False)
    assert story.state.stale
    story.environment_ready()
    assert [type(effect) for effect in story.effects] == [Launch]


def test_an_environment_that_cannot_be_built_leaves_it_serving() -> None:
    story = adopted()
    assert story.state.build is not None
    story.tell(EnvironmentFailed(story.state.build, INSTALLER))
    assert (story.state.shown, story.state.problem) == ("serving", INSTALLER)


def test_one_that_ends_before_its_environment_is_known_is_replaced() -> None:
    story = adopted().exited(FIRST)
    assert not [effect for effect in story.effects if isinstance(effect, Exited)]
    story.environment_ready()
    assert [type(effect) for effect in story.effects] == [Launch]


def test_it_is_stopped_like_any_other() -> None:
    story = adopted().environment_ready().tell(Stopped())
    assert story.effects == [Retire(FIRST), Withdraw()]
    assert story.exited(FIRST).state.phase is Phase.STOPPED


def test_one_that_is_found_late_takes_the_place_of_what_waits_for_it() -> None:
    story = Story().tell(Started())
    build = story.build
    assert build is not None
    story.tell(Adopted(RunnerId(build + 1), 7, ENVIRONMENT, (), True))
    assert story.effects == [CancelBuild(build), Publish(RunnerId(build + 1)), Prepare(story.build)]
    assert (story.state.shown, story.state.generation) == ("serving", 7)
    assert story.environment_ready().state.phase is Phase.SERVING


def test_one_that_is_found_late_waits_in_vain_where_another_starts() -> None:
    story = Story().tell(Started()).environment_ready()
    story.tell(Adopted(RunnerId(99), 7, ENVIRONMENT, (), True))
    assert story.effects == []
    assert story.state.serving is None


def test_it_is_known_since_its_adoption_and_by_a_number_of_its_own() -> None:
    story = Story().tell(Adopted(FIRST, 7, ENVIRONMENT, ("*.yml",), True))
    assert story.state.read == ("*.yml",)
    assert (story.state.last_id, story.build) == (FIRST + 1, FIRST + 1)
    story.environment_ready().wait(1.0).exited(FIRST)
    assert story.state.phase is Phase.BACKOFF, "it has not served for long here"
