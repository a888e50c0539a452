"""Promise 6: crash loops, fast and slow, end; whatever changes starts anew at once."""

from __future__ import annotations

import pytest

from codelocd.core.events import ReloadAsked, Started
from codelocd.model import Phase, Policy
from tests.supervisor.stories import Story


def crashes(story: Story, count: int, life: float) -> Story:
    """Serves for `life` seconds and crashes, so many times or until it is given up."""
    for _ in range(count):
        if story.state.phase is Phase.FAILED:
            break
        if story.state.phase is Phase.BACKOFF:
            story.until_deadline()
        if story.state.phase is Phase.BUILDING:
            story.environment_ready()
        story.loaded().wait(life).exited(story.state.serving)
    return story


@pytest.mark.parametrize("life", [0.0, 1.5, 5.0, 40.0])
def test_promise_6_a_loop_of_crashes_ends_however_long_each_life_is(life: float) -> None:
    story = crashes(Story().tell(Started()), 50, life)
    assert story.state.phase is Phase.FAILED
    assert story.state.restarts == Policy().restart_limit.count
    assert story.state.problem is not None
    assert "gave up after 6 failures within 300 s" in story.state.problem.summary


def test_promise_6_one_good_period_is_forgotten_by_the_pause() -> None:
    story = crashes(Story().tell(Started()), 3, 0.0)
    assert story.state.deadline is not None
    assert story.state.deadline - story.now > 0.3
    story.until_deadline().environment_ready().loaded().wait(61.0)
    story.exited(story.state.serving)
    assert story.state.phase is Phase.BUILDING  # at once


@pytest.mark.parametrize("wish", [Started(), ReloadAsked()])
def test_promise_6_who_asks_for_it_waits_for_no_pause(wish: Started | ReloadAsked) -> None:
    story = crashes(Story().tell(Started()), 3, 0.0)
    assert story.state.phase is Phase.BACKOFF
    assert story.tell(wish).state.phase is Phase.BUILDING
    assert story.state.history.failures == ()


def test_promise_6_a_save_waits_for_no_pause_even_after_all_was_given_up() -> None:
    story = crashes(Story().tell(Started()), 50, 0.0)
    assert story.saved().state.phase is Phase.BUILDING
    assert story.environment_ready().loaded().state.phase is Phase.SERVING
