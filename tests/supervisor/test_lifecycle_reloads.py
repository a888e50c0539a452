"""Stories of one location that is reloaded: candidates, bursts of saves, takeovers."""

from __future__ import annotations

from pathlib import Path

from codelocd.core import takeover
from codelocd.core.events import (
    DeadlinePassed,
    EnvironmentChosen,
    EnvironmentFailed,
    Exited,
    Follow,
    Inspect,
    Kill,
    Launch,
    Launched,
    Loaded,
    LoadFailed,
    Publish,
    ReloadAsked,
    RestartAsked,
    Retire,
    Reverted,
    SourcesChanged,
    Started,
    Stopped,
)
from codelocd.model import Phase, RunnerId
from tests.supervisor.stories import CHOICE, CRASH, INSTALLER, LOAD, Story


def test_a_save_starts_a_candidate_beside_the_runner_that_serves() -> None:
    story = Story().serving()
    former = story.runner
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
    former = story.runner
    story.saved().load_failed()
    assert story.state.serving == former
    assert (story.state.shown, story.state.stale, story.state.problem) == ("serving", True, LOAD)
    assert story.state.deadline is None


def test_a_description_that_is_taken_back_leaves_what_serves_as_it_was() -> None:
    story = Story().serving()
    before, former = story.state, story.runner
    story.tell(ReloadAsked()).environment_ready().load_failed()
    assert story.state.stale
    story.tell(Reverted(before))
    assert (story.state.serving, story.state.phase) == (former, Phase.SERVING)
    assert (story.state.stale, story.state.problem, story.state.deadline) == (False, None, None)
    story.tell(Exited(former, CRASH))
    assert story.state.wanted
    assert story.state.phase is not Phase.FAILED, "it is started again, since it is not stale"


def test_one_that_is_taken_back_where_nothing_serves_is_tried_again() -> None:
    story = Story().tell(Started()).environment_ready()
    before = story.state
    story.tell(ReloadAsked()).environment_ready().load_failed()
    failed = story.state
    story.tell(Reverted(before))
    assert (failed.phase, story.state.phase) == (Phase.FAILED, Phase.BUILDING)
    story.tell(Stopped()).tell(Reverted(before))
    assert not story.state.wanted


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
    assert (story.state.shown, story.state.stale, story.state.problem) == ("starting", True, CRASH)
    story.loaded()
    assert (story.state.shown, story.state.stale, story.effects) == (
        "serving",
        False,
        [Publish(RunnerId(3))],
    )


def test_a_save_during_a_load_drops_the_candidate_and_starts_another() -> None:
    story = Story().serving().saved()
    dropped = story.candidate
    story.wait(0.01).saved()
    assert story.effects == [Kill(dropped)]
    story.until_deadline()
    assert isinstance(story.effects[0], Launch)
    assert story.state.candidate != dropped


def test_late_news_of_a_dropped_candidate_changes_nothing() -> None:
    story = Story().serving().saved()
    dropped = story.candidate
    assert dropped is not None
    story.wait(0.01).saved()
    before = story.state
    story.tell(Loaded(dropped, current=True)).tell(LoadFailed(dropped, LOAD))
    assert (story.state, story.effects) == (before, [])


def test_a_candidate_that_did_not_read_what_the_disk_holds_is_replaced() -> None:
    story = Story().serving().saved()
    outdated = story.candidate
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
    hung = story.candidate
    story.wait(60).saved()
    assert story.effects == [Kill(hung)]
    story.until_deadline().loaded()
    assert story.state.generation == 2


def test_a_reload_loads_a_new_runner_even_if_nothing_changed() -> None:
    story = Story().serving().tell(ReloadAsked()).environment_ready().loaded()
    assert (story.state.generation, story.state.stale) == (2, False)


def test_a_reload_during_a_restart_waits_for_the_old_runner_like_the_restart() -> None:
    story = Story().serving()
    former = story.runner
    story.tell(RestartAsked()).tell(ReloadAsked())
    assert (story.state.phase, story.effects) == (Phase.STOPPING, [])
    story.exited(former)
    assert story.state.phase is Phase.BUILDING


def dropped_as_often_as_may_be() -> Story:
    """A candidate loads that no later save drops."""
    story = Story().serving().saved()
    for _ in range(takeover.MAX_DROPS):
        story.wait(0.01).saved().until_deadline()
    return story


def test_a_save_while_a_dropped_candidate_is_replaced_neither_counts_nor_prolongs_the_pause() -> (
    None
):
    story = Story().serving().saved().wait(0.01).saved()
    before = story.state
    story.wait(0.01).saved()
    assert (story.state.deadline, story.state.burst.drops) == (before.deadline, 1)
    assert story.effects == []


def test_a_dropped_candidate_is_replaced_after_a_pause() -> None:
    story = Story().serving().saved().wait(0.01).saved()
    assert story.state.deadline == story.now + takeover.FIRST_PAUSE


def test_a_candidate_is_not_dropped_for_ever() -> None:
    story = dropped_as_often_as_may_be()
    last = story.candidate
    story.wait(0.01).saved()
    assert (story.state.candidate, story.state.deadline, story.effects) == (last, None, [])


def test_a_slow_load_that_writes_what_is_watched_is_not_dropped_for_ever() -> None:
    story = Story().serving().saved()
    for _ in range(takeover.MAX_DROPS):
        story.wait(takeover.CHURN_PATIENCE + 3).saved().until_deadline()
    last = story.candidate
    story.wait(takeover.CHURN_PATIENCE + 3).saved()
    assert (story.state.candidate, story.effects) == (last, [])


def test_a_load_that_fails_after_a_save_that_did_not_drop_it_is_made_again() -> None:
    story = dropped_as_often_as_may_be().wait(0.01).saved()
    failed = LoadFailed(story.candidate, LOAD, current=False)
    story.tell(failed)
    assert story.effects == [Kill(failed.runner)]
    assert story.state.phase is Phase.STARTING
    story.until_deadline().load_failed()
    assert (story.state.phase, story.state.problem) == (Phase.SERVING, LOAD)


def test_a_load_that_fails_before_the_news_of_a_save_is_made_again_by_that_news() -> None:
    story = Story().serving().wait(5.0).saved()
    story.tell(LoadFailed(story.candidate, LOAD, current=False))
    assert (story.state.phase, story.state.problem) == (Phase.SERVING, LOAD)
    story.wait(0.01).saved()
    assert story.state.phase is Phase.STARTING


def test_a_save_after_all_drops_has_what_is_loaded_looked_at_later() -> None:
    story = dropped_as_often_as_may_be().wait(0.01).saved(2).loaded()
    held = story.candidate
    story.wait(0.1).saved(2)
    assert (story.state.candidate, story.effects) == (held, [])
    assert story.state.deadline == story.now + takeover.QUIET


def test_what_is_outdated_after_all_drops_is_replaced_once_more_when_the_saves_have_ended() -> None:
    story = dropped_as_often_as_may_be()
    last = story.candidate
    story.wait(1.0).loaded(current=False)
    assert story.effects == [Kill(last)]
    assert story.state.phase is Phase.STARTING


def test_what_is_outdated_after_all_drops_serves_while_the_saves_go_on() -> None:
    story = dropped_as_often_as_may_be().wait(0.01).saved()
    last, former = story.candidate, story.runner
    story.loaded(current=False)
    assert (story.state.serving, story.state.stale, story.state.reloading) == (
        last,
        True,
        "starting",
    )
    assert story.effects == [
        Publish(last),
        Retire(former, replaced=True),
        Launch(story.candidate),
    ]


def test_the_definitions_are_stale_from_the_save_on() -> None:
    assert Story().serving().saved().state.stale


def test_the_runner_that_was_replaced_is_waited_for_by_a_stop() -> None:
    story = Story().serving()
    former = story.runner
    story.saved().loaded()
    newest = story.runner
    assert story.state.leaving == {former}
    story.tell(Stopped()).exited(newest)
    assert story.state.phase is Phase.STOPPING
    assert story.exited(former).state.phase is Phase.STOPPED


def test_a_single_save_soon_after_a_burst_does_not_wait() -> None:
    story = Story().serving().saved(2).loaded().until_deadline()
    candidate = story.candidate
    assert candidate is not None
    story.tell(Loaded(candidate, current=True)).wait(0.5)
    story.saved().loaded()
    assert isinstance(story.effects[0], Publish)


def test_a_start_after_a_stop_does_not_wait_for_the_burst_of_before() -> None:
    story = Story().serving().saved(2)
    former, candidate = story.runner, story.candidate
    story.tell(Stopped()).exited(candidate).exited(former)
    story.tell(Started()).loaded()
    assert isinstance(story.effects[0], Publish)


def test_a_save_during_a_restart_waits_for_the_old_runner_like_the_restart() -> None:
    story = Story().serving().tell(RestartAsked()).saved()
    assert (story.state.phase, story.effects) == (Phase.STOPPING, [])


def test_the_news_that_a_runner_was_launched_changes_nothing_once_it_has_loaded() -> None:
    story = Story().serving().saved(2).loaded()
    candidate, looked_at = story.state.candidate, story.state.deadline
    assert candidate is not None
    assert story.tell(Launched(candidate)).state.deadline == looked_at


def test_what_a_load_has_read_is_followed_before_the_runner_takes_over() -> None:
    story = Story().serving().saved()
    assert story.state.candidate is not None
    story.tell(Loaded(story.state.candidate, current=True, read=("b.csv", "a.csv")))
    assert story.state.read == ("a.csv", "b.csv")
    assert story.effects[:2] == [Follow(), Publish(RunnerId(3))]
    story.saved()
    assert story.state.candidate is not None
    story.tell(Loaded(story.state.candidate, current=True, read=("a.csv", "b.csv")))
    assert Follow() not in story.effects


def test_a_load_that_failed_adds_what_it_has_read_and_missed_to_what_was_read_before() -> None:
    story = Story().serving().saved()
    assert story.state.candidate is not None
    story.tell(Loaded(story.state.candidate, current=True, read=("a.csv",))).saved()
    assert story.state.candidate is not None
    story.tell(LoadFailed(story.candidate, LOAD, ("b.csv",)))
    assert story.state.read == ("a.csv", "b.csv")
    assert Follow() in story.effects
    after = story.saved().loaded()
    assert (after.state.read, after.effects[0]) == ((), Follow())


def test_a_load_that_writes_what_its_environment_depends_on_is_not_dropped_for_ever() -> None:
    story = Story().serving().saved()
    for _ in range(takeover.MAX_DROPS):
        story.wait(0.01).tell(SourcesChanged(1, inputs=True))
        assert story.state.phase is Phase.BUILDING
        story.environment_ready()
    last = story.state.candidate
    story.wait(0.01).tell(SourcesChanged(1, inputs=True))
    assert (story.state.candidate, story.state.deadline, story.effects) == (last, None, [])
    story.loaded()
    assert (story.state.serving, story.state.reloading) == (last, None)


def test_what_is_loaded_after_all_drops_is_looked_at_later_when_its_environment_changes() -> None:
    story = dropped_as_often_as_may_be().wait(0.01).saved(2).loaded()
    held = story.state.candidate
    story.wait(0.1).tell(SourcesChanged(1, inputs=True))
    assert (story.state.candidate, story.effects) == (held, [])
    assert story.state.deadline == story.now + takeover.QUIET


def test_what_follows_an_outdated_takeover_is_not_dropped_as_often_again() -> None:
    story = dropped_as_often_as_may_be().wait(0.01).saved().loaded(current=False)
    candidate = story.state.candidate
    assert candidate is not None
    story.wait(0.01).saved()
    assert (story.state.candidate, story.effects) == (candidate, [])


def test_a_load_that_failed_and_is_made_again_has_what_it_read_watched_meanwhile() -> None:
    story = dropped_as_often_as_may_be().wait(0.01).saved()
    candidate = story.candidate
    story.tell(LoadFailed(candidate, LOAD, read=("*.yml",), current=False))
    assert story.effects == [Follow(), Kill(candidate)]
    assert story.state.read == ("*.yml",)


def test_an_environment_that_failed_is_tried_again_by_the_files_that_it_depends_on() -> None:
    chosen, missing = (Path("/p/uv.lock"),), (Path("/p/pyproject.toml"),)
    for named, known in (((), chosen), (missing, missing)):
        story = Story().tell(Started())
        build = story.build
        story.tell(EnvironmentChosen(build, CHOICE, chosen))
        story.tell(EnvironmentFailed(build, INSTALLER, inputs=named))
        assert story.state.inputs == known
