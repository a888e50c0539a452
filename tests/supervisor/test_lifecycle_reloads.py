"""Stories of one location that is reloaded: candidates, bursts of saves, takeovers."""

from __future__ import annotations

from stories import LOAD, Story

from codelocd.core.events import (
    DeadlinePassed,
    Inspect,
    Kill,
    Launch,
    Loaded,
    LoadFailed,
    Publish,
    ReloadAsked,
    RestartAsked,
    Retire,
    Started,
)
from codelocd.model import Phase, RunnerId


def test_a_save_starts_a_candidate_beside_the_runner_that_serves() -> None:
    story = Story().serving()
    former = story.state.serving
    story.saved()
    assert story.effects == [Launch(RunnerId(3))]
    assert (story.state.shown, story.state.reloading) == ("serving", "starting")
    assert story.state.serving == former


def test_the_candidate_of_a_single_save_takes_over_as_soon_as_it_has_loaded() -> None:
    story = Story().serving()
    story.saved().loaded()
    assert story.effects == [Publish(RunnerId(3)), Retire(RunnerId(2), replaced=True)]
    assert (story.state.generation, story.state.reloading, story.state.stale) == (2, None, False)


def test_a_broken_save_keeps_the_old_runner_and_says_stale() -> None:
    story = Story().serving()
    former = story.state.serving
    story.saved().load_failed()
    assert story.state.serving == former
    assert (story.state.shown, story.state.stale, story.state.problem) == ("serving", True, LOAD)
    assert story.state.deadline is None


def test_the_repair_of_a_broken_save_is_served_and_not_stale() -> None:
    story = Story().serving().saved().load_failed().wait(5).saved().loaded()
    assert (story.state.shown, story.state.stale, story.state.problem) == ("serving", False, None)


def test_an_exit_of_a_candidate_beside_a_serving_runner_is_not_retried() -> None:
    story = Story().serving().saved()
    story.exited(story.state.candidate)
    assert (story.state.phase, story.state.stale) == (Phase.SERVING, True)
    assert story.state.deadline is None


def test_a_runner_that_dies_while_its_successor_loads_leaves_the_successor_to_take_over() -> None:
    story = Story().serving().saved()
    story.exited(story.state.serving)
    assert (story.state.shown, story.state.stale) == ("starting", True)
    story.loaded()
    assert (story.state.shown, story.state.stale, story.effects) == (
        "serving",
        False,
        [Publish(RunnerId(3))],
    )


def test_a_save_during_a_load_drops_the_candidate_and_starts_another() -> None:
    story = Story().serving().saved()
    dropped = story.state.candidate
    story.wait(0.01).saved()
    assert story.effects == [Kill(dropped)]
    story.until_deadline()
    assert isinstance(story.effects[0], Launch)
    assert story.state.candidate != dropped


def test_late_news_of_a_dropped_candidate_changes_nothing() -> None:
    story = Story().serving().saved()
    dropped = story.state.candidate
    assert dropped is not None
    story.wait(0.01).saved()
    before = story.state
    story.tell(Loaded(dropped, current=True)).tell(LoadFailed(dropped, LOAD))
    assert (story.state, story.effects) == (before, [])


def test_a_candidate_that_did_not_read_what_the_disk_holds_is_replaced() -> None:
    story = Story().serving().saved()
    outdated = story.state.candidate
    story.loaded(current=False)
    assert Kill(outdated) in story.effects
    story.until_deadline().loaded()
    assert (story.state.shown, story.state.stale) == ("serving", False)


def test_code_that_rewrites_its_sources_at_every_load_is_served_after_bounded_tries() -> None:
    story = Story()
    story.tell(Started()).environment_ready()
    launches = 1
    while story.state.serving is None:
        story.loaded(current=False)
        if story.state.serving is None:
            story.until_deadline()
            launches += 1
        assert launches < 20
    assert story.state.behind


def test_a_burst_ends_in_exactly_one_takeover() -> None:
    story = Story().serving()
    generation = story.state.generation
    for file in range(2000):
        story.saved(file + 1)
        story.wait(0.001)
        if story.state.deadline is not None and story.now >= story.state.deadline:
            story.tell(DeadlinePassed())
        if story.state.candidate is not None and not story.state.loaded and file % 7 == 0:
            story.loaded(current=False)
        assert story.state.generation == generation
    story.wait(0.2)
    while story.state.phase is not Phase.SERVING:
        if story.state.deadline is not None:
            story.until_deadline()
        if story.state.candidate is not None:
            story.loaded()
    assert story.state.generation == generation + 1


def test_a_candidate_of_many_files_waits_until_the_burst_has_rested() -> None:
    story = Story().serving()
    story.saved(2)
    story.loaded()
    assert story.state.reloading == "starting"
    story.until_deadline()
    assert story.effects == [Inspect(RunnerId(3))]
    story.tell(Loaded(RunnerId(3), current=True))
    assert story.state.generation == 2


def test_a_git_lock_holds_a_takeover_back_but_not_for_ever() -> None:
    story = Story().serving().saved(1, locked=True).loaded(locked=True)
    assert story.state.generation == 1
    held = story.now
    while story.state.generation == 1:
        story.until_deadline().tell(Loaded(RunnerId(3), current=True, locked=True))
    assert 30 <= story.now - held < 31


def test_a_hung_candidate_is_dropped_at_once_by_the_fix() -> None:
    story = Story().serving().saved()
    hung = story.state.candidate
    story.wait(60).saved()
    assert story.effects == [Kill(hung)]
    story.until_deadline().loaded()
    assert story.state.generation == 2


def test_a_reload_loads_a_new_runner_even_if_nothing_changed() -> None:
    story = Story().serving().tell(ReloadAsked()).environment_ready().loaded()
    assert (story.state.generation, story.state.stale) == (2, False)


def test_a_reload_during_a_restart_waits_for_the_old_runner_like_the_restart() -> None:
    story = Story().serving()
    former = story.state.serving
    story.tell(RestartAsked()).tell(ReloadAsked())
    assert (story.state.phase, story.effects) == (Phase.STOPPING, [])
    story.exited(former)
    assert story.state.phase is Phase.BUILDING
