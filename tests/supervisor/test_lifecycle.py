"""Stories of one location: starts, stops, crashes, builds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codelocd.core.events import (
    CancelBuild,
    Condemned,
    DeadlinePassed,
    Diverged,
    EnvironmentChosen,
    EnvironmentFailed,
    EnvironmentLost,
    EnvironmentReady,
    Event,
    Exited,
    Explain,
    Kill,
    Launch,
    Launched,
    LimitMetBeside,
    Loaded,
    LoadFailed,
    PolicyChanged,
    Prepare,
    Publish,
    Recall,
    ReloadAsked,
    Remembered,
    RestartAsked,
    Restore,
    Retire,
    SourcesChanged,
    Started,
    Stopped,
    Suspect,
    Withdraw,
)
from codelocd.core.restarts import NO_FAILURES
from codelocd.model import (
    Backoff,
    BuildId,
    Ended,
    Exit,
    LastExit,
    Phase,
    Policy,
    Problem,
    RestartLimit,
    RunnerId,
    Snapshot,
)
from tests.supervisor.stories import (
    CHOICE,
    CRASH,
    CRASHED,
    ENVIRONMENT,
    INSTALLER,
    LOAD,
    LOST,
    POLICY,
    SETS,
    Story,
)


def test_a_start_prepares_the_environment_then_launches_then_publishes() -> None:
    story = Story()
    story.tell(Started())
    assert story.effects == [Prepare(BuildId(1))]
    story.environment_ready()
    assert story.effects == [Launch(RunnerId(2))]
    story.loaded()
    assert story.effects == [Publish(RunnerId(2))]
    assert (story.state.shown, story.state.generation, story.state.stale) == ("serving", 1, False)


def test_a_first_start_is_no_reload_and_what_lists_nothing_is_not_stale() -> None:
    story = Story().tell(Started())
    assert (story.state.shown, story.state.reloading) == ("building", None)
    assert (story.state.listed, story.state.stale) == (False, False)
    story.environment_ready()
    assert (story.state.shown, story.state.reloading) == ("starting", None)


def test_a_location_is_settled_while_no_attempt_is_under_way_or_planned() -> None:
    story = Story()
    assert story.state.settled
    assert not story.tell(Started()).state.settled
    assert not story.environment_ready().state.settled
    assert story.loaded().state.settled
    story.exited(story.state.serving)
    assert (story.state.phase, story.state.settled) == (Phase.BACKOFF, False)
    assert Story().tell(Started()).environment_ready().load_failed().state.settled


def test_a_load_error_with_nothing_serving_fails_at_once_and_waits_for_a_change() -> None:
    story = Story()
    story.tell(Started()).environment_ready().load_failed()
    assert story.state.phase is Phase.FAILED
    assert story.state.deadline is None
    story.wait(10).saved()
    assert isinstance(story.effects[0], Launch)


def test_an_exit_during_the_load_with_nothing_serving_backs_off_and_tries_again() -> None:
    story = Story()
    story.tell(Started()).environment_ready()
    story.exited(story.state.candidate)
    assert (story.state.phase, story.state.candidate) == (Phase.BACKOFF, None)
    story.until_deadline()
    assert (story.state.phase, story.state.restarts) == (Phase.BUILDING, 1)


def test_the_first_restart_of_a_healthy_runner_is_immediate() -> None:
    story = Story().serving().wait(POLICY.healthy_after)
    story.exited(story.state.serving)
    assert (story.state.phase, story.state.restarts) == (Phase.BUILDING, 1)
    assert isinstance(story.effects[0], Prepare)


def test_the_last_definitions_stay_listed_as_stale_while_a_crashed_location_comes_back() -> None:
    story = Story().serving()
    story.exited(story.state.serving)
    assert (story.state.shown, story.state.listed, story.state.stale) == ("backoff", True, True)


def test_definitions_of_an_earlier_daemon_are_not_asked_for_while_others_are_listed() -> None:
    story = Story().serving()
    story.exited(story.state.serving)
    assert story.state.phase is Phase.BACKOFF
    assert story.state.listed
    assert Recall() not in story.effects


def test_pauses_between_restarts_grow_and_a_crash_loop_ends() -> None:
    story = Story().serving()
    pauses = []
    while story.state.phase is not Phase.FAILED:
        story.exited(story.state.serving)
        if story.state.deadline is not None:
            pauses.append(round(story.state.deadline - story.now, 3))
            story.until_deadline().environment_ready().loaded()
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert story.state.problem is not None
    assert "gave up after 6 failures within 300 s" in story.state.problem.summary


def test_a_slow_crash_loop_ends_too() -> None:
    policy = Policy(healthy_after=10, restart_limit=RestartLimit(count=3, period=300))
    story = Story(policy).serving()
    for _ in range(3):
        story.wait(60).exited(story.state.serving)
        assert story.state.phase is Phase.BUILDING
        story.environment_ready().loaded()
    story.wait(60).exited(story.state.serving)
    assert story.state.phase is Phase.FAILED


def test_a_crash_with_restart_never_fails() -> None:
    story = Story(replace(POLICY, restart="never")).serving()
    story.exited(story.state.serving)
    assert (story.state.phase, story.state.problem) == (Phase.FAILED, CRASH)


def test_a_stale_runner_that_dies_cannot_be_brought_back_and_the_problem_says_both() -> None:
    story = Story().serving().saved().load_failed()
    story.exited(story.state.serving)
    assert (story.state.phase, story.state.listed) == (Phase.FAILED, True)
    assert story.state.problem is not None
    assert LOAD.summary in story.state.problem.summary
    assert CRASH.summary in story.state.problem.summary


def test_a_load_that_takes_too_long_is_explained_then_failed() -> None:
    story = Story()
    story.tell(Started()).environment_ready()
    candidate = story.candidate
    assert candidate is not None
    story.tell(Launched(candidate)).until_deadline()
    assert story.effects == [Explain(candidate)]
    assert (story.state.deadline, story.tell(DeadlinePassed()).effects) == (None, [])
    story.load_failed()
    assert story.effects == [Kill(candidate), Recall()]
    assert story.state.phase is Phase.FAILED


def test_the_time_to_load_counts_from_the_launch_and_not_from_the_wait_for_a_turn() -> None:
    story = Story()
    story.tell(Started()).environment_ready()
    assert story.state.deadline is None
    story.wait(500).tell(Launched(RunnerId(2)))
    assert story.state.deadline == story.now + POLICY.start_timeout


def test_a_failed_build_leaves_everything_as_it_was() -> None:
    story = Story().serving()
    story.tell(SourcesChanged(0, inputs=True))
    build = story.state.build
    assert build is not None
    assert story.state.reloading == "building"
    story.tell(EnvironmentFailed(build, INSTALLER))
    assert (story.state.shown, story.state.stale, story.state.problem) == (
        "serving",
        True,
        INSTALLER,
    )


def test_a_failed_build_is_retried_by_the_next_save() -> None:
    story = Story().serving()
    story.tell(SourcesChanged(0, inputs=True))
    assert story.state.build is not None
    story.tell(EnvironmentFailed(story.state.build, INSTALLER)).wait(3).saved()
    assert isinstance(story.effects[0], Prepare)


def test_a_build_that_takes_too_long_is_cancelled() -> None:
    story = Story()
    story.tell(Started()).until_deadline()
    assert story.effects == [CancelBuild(BuildId(1)), Recall()]
    assert story.state.problem is not None
    assert "build_timeout" in story.state.problem.summary


def test_a_stop_withdraws_the_definitions_and_holds_against_changes() -> None:
    story = Story().serving()
    runner = story.runner
    story.tell(Stopped())
    assert story.effects == [Retire(runner), Withdraw()]
    assert story.state.phase is Phase.STOPPING
    story.exited(runner).saved()
    assert (story.state.phase, story.effects) == (Phase.STOPPED, [])


def test_a_stop_in_the_middle_of_a_reload_ends_both_runners() -> None:
    story = Story().serving().saved()
    serving, candidate = story.runner, story.candidate
    story.tell(Stopped())
    assert story.effects == [Kill(candidate), Retire(serving), Withdraw()]
    story.exited(candidate)
    assert story.state.phase is Phase.STOPPING
    assert story.exited(serving).state.phase is Phase.STOPPED


def test_a_restart_starts_only_after_the_old_runner_is_gone() -> None:
    story = Story().serving()
    runner = story.runner
    story.tell(RestartAsked())
    assert story.effects == [Retire(runner)]
    assert story.state.listed
    story.exited(runner)
    assert isinstance(story.effects[0], Prepare)


def test_a_start_during_a_stop_starts_again_when_it_is_done() -> None:
    story = Story().serving()
    runner = story.runner
    story.tell(Stopped()).tell(Started()).exited(runner)
    assert story.state.phase is Phase.BUILDING


def test_an_unresponsive_runner_is_killed_and_replaced_and_the_problem_says_why() -> None:
    hang = Problem("unresponsive", "no answer within 10 s", at=1.0)
    story = Story().serving()
    runner = story.runner
    assert runner is not None
    story.tell(Condemned(runner, hang))
    assert story.effects == [Kill(runner)]
    story.exited(runner)
    assert (story.state.phase, story.state.problem) == (Phase.BACKOFF, hang)


def test_a_start_forgives_the_failures_of_the_past() -> None:
    story = Story(replace(POLICY, restart_limit=RestartLimit(count=0, period=60))).serving()
    story.exited(story.state.serving)
    assert story.state.phase is Phase.FAILED
    story.tell(Started()).environment_ready().loaded()
    assert (story.state.shown, story.state.problem) == ("serving", None)


@pytest.mark.parametrize("event", [SourcesChanged(1), ReloadAsked()])
def test_nothing_starts_a_location_that_nobody_wants(event: Event) -> None:
    story = Story().tell(event)
    assert (story.state.phase, story.effects) == (Phase.STOPPED, [])


def test_a_build_that_may_succeed_later_is_tried_again_for_ever_with_growing_pauses() -> None:
    story = Story().tell(Started())
    pauses = []
    for _ in range(12):
        assert story.state.build is not None
        story.tell(EnvironmentFailed(story.state.build, INSTALLER, passing=True))
        assert (story.state.shown, story.state.problem) == ("backoff", INSTALLER)
        assert story.state.deadline is not None
        pauses.append(round(story.state.deadline - story.now, 3))
        story.until_deadline()
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == POLICY.backoff.maximum


def test_beside_a_runner_that_serves_no_build_is_tried_again_by_itself() -> None:
    story = Story().serving().tell(ReloadAsked())
    assert story.state.build is not None
    story.tell(EnvironmentFailed(story.state.build, INSTALLER, passing=True))
    assert (story.state.shown, story.state.stale, story.state.deadline) == ("serving", True, None)


def test_an_environment_that_was_lost_before_the_start_is_prepared_again() -> None:
    story = Story().serving().saved()
    assert story.state.candidate is not None
    candidate = story.candidate
    story.tell(EnvironmentLost(candidate, LOST))
    assert story.effects == [Kill(candidate), Prepare(story.build)]
    assert (story.state.shown, story.state.reloading) == ("serving", "building")
    assert story.tell(EnvironmentLost(candidate, LOST)).effects == []


def test_a_candidate_that_died_makes_the_next_attempt_look_at_its_environment_anew() -> None:
    story = Story().serving().saved()
    story.exited(story.state.candidate).wait(3).saved()
    assert story.state.phase is Phase.BUILDING


def under(story: Story, policy: Policy) -> Story:
    """From now on other rules hold."""
    former, story.policy = story.policy, policy
    return story.tell(PolicyChanged(former))


def test_a_pause_that_is_made_shorter_ends_sooner_and_a_longer_one_does_not_begin_again() -> None:
    slow = replace(POLICY, backoff=Backoff(initial=60, maximum=60, jitter=0))
    story = Story(slow).serving()
    while story.state.phase is not Phase.BACKOFF:
        story.exited(story.state.serving)
        if story.state.phase is Phase.BUILDING:
            story.environment_ready().loaded()
    assert story.state.deadline == story.now + 60
    under(story, replace(slow, backoff=Backoff(initial=1, maximum=1, jitter=0)))
    assert story.state.deadline == story.now + 1
    under(story, slow)
    assert story.state.deadline == story.now + 1


def test_restart_never_ends_a_pause_under_way() -> None:
    story = Story(replace(POLICY, backoff=Backoff(initial=60, maximum=60))).serving()
    while story.state.phase is not Phase.BACKOFF:
        story.exited(story.state.serving)
        if story.state.phase is Phase.BUILDING:
            story.environment_ready().loaded()
    under(story, replace(story.policy, restart="never"))
    assert (story.state.phase, story.state.deadline) == (Phase.FAILED, None)


def test_other_limits_hold_for_a_load_that_is_under_way() -> None:
    story = Story(replace(POLICY, start_timeout=180.0, build_timeout=600.0))
    story.tell(Started())
    began = story.now
    story.wait(5)
    under(story, replace(story.policy, build_timeout=60.0))
    assert story.state.deadline == began + 60
    story.environment_ready()
    assert story.state.candidate is not None
    story.tell(Launched(story.state.candidate))
    began = story.now
    story.wait(5)
    under(story, replace(story.policy, start_timeout=10.0))
    assert story.state.deadline == began + 10


def test_a_fresh_environment_that_was_lost_is_prepared_again_after_a_pause() -> None:
    story = Story().tell(Started()).environment_ready()
    candidate = story.candidate
    assert candidate is not None
    story.tell(EnvironmentLost(candidate, LOST))
    assert (story.state.phase, story.state.problem) == (Phase.BACKOFF, LOST)
    assert story.effects == [Recall()]
    story.until_deadline()
    assert isinstance(story.effects[0], Prepare)


def test_what_was_chosen_and_what_it_depends_on_is_kept_with_the_location() -> None:
    story = Story().tell(Started())
    build, one, two = story.state.build, Path("/p/uv.lock"), Path("/p/pyproject.toml")
    assert build is not None
    story.tell(EnvironmentChosen(build, CHOICE, (one, two)))
    assert (story.state.choice, story.state.inputs) == (CHOICE, (one, two))
    story.tell(EnvironmentReady(build, ENVIRONMENT, (one,)))
    assert (story.state.environment, story.state.inputs) == (ENVIRONMENT, (one,))
    story.tell(ReloadAsked())
    assert story.state.build is not None
    story.tell(EnvironmentFailed(story.state.build, INSTALLER, inputs=(one, two)))
    assert (story.state.environment, story.state.inputs) == (ENVIRONMENT, (one, two))


def test_code_that_does_not_load_has_the_definitions_of_before() -> None:
    kept = Snapshot("native", "3.12.1", 0.1, (), {})
    story = Story().tell(Started()).environment_ready().load_failed()
    assert Recall() in story.effects
    story.tell(Remembered(kept))
    assert story.effects == [Restore(kept)]
    assert story.state.behind
    assert (story.state.shown, story.state.listed, story.state.stale) == ("failed", True, True)


def test_definitions_of_before_that_come_too_late_are_not_listed() -> None:
    story = Story().tell(Started()).environment_ready().load_failed().tell(Stopped())
    story.tell(Remembered(Snapshot("native", "3.12.1", 0.1, (), {})))
    assert (story.effects, story.state.listed) == ([], False)


def test_how_the_last_runner_ended_and_whether_that_was_asked_for_is_kept() -> None:
    story = Story().serving()
    first = story.runner
    assert first is not None
    killed = Ended(7, Exit(signal=9), 1.0)
    story.tell(Exited(first, CRASH, ended=killed))
    assert story.state.last_exit == LastExit(killed, asked=False)
    story.until_deadline().environment_ready().loaded()
    second = story.runner
    assert second is not None
    left = Ended(8, Exit(status=0), 2.0)
    story.tell(Stopped()).tell(Exited(second, CRASH, ended=left))
    assert story.state.last_exit == LastExit(left, asked=True)


@pytest.mark.parametrize("beside", [False, True])
def test_a_warm_start_that_diverged_is_made_again_without_warmth(beside: bool) -> None:
    story = Story().serving().saved() if beside else Story().tell(Started()).environment_ready()
    first = story.candidate
    assert first is not None
    story.tell(Launched(first)).tell(Diverged(first, SETS))
    second = story.candidate
    assert second is not None
    assert story.effects == [Kill(first), Launch(second, SETS)]
    assert story.state.problem is None
    story.loaded()
    assert story.effects[0] == Publish(second)
    assert not any(isinstance(effect, Suspect) for effect in story.effects)


def test_a_load_that_ends_after_a_fork_is_made_again_and_is_no_failure_of_the_location() -> None:
    story = Story(replace(POLICY, restart="never")).tell(Started()).environment_ready()
    first = story.candidate
    assert first is not None
    story.tell(Exited(first, CRASH, cold=CRASHED))
    second = story.candidate
    assert second is not None
    assert story.effects == [Launch(second, CRASHED)]
    story.loaded()
    assert story.effects == [Suspect(second, CRASHED.suspicion), Publish(second)]


def test_a_second_try_that_fails_too_is_a_failure_like_any_other() -> None:
    story = Story().tell(Started()).environment_ready()
    assert story.state.candidate is not None
    story.tell(Diverged(story.state.candidate, CRASHED))
    story.exited(story.state.candidate)
    assert (story.state.phase, story.state.problem) == (Phase.BACKOFF, CRASH)
    story.until_deadline().environment_ready()
    assert story.effects == [Launch(RunnerId(story.state.last_id))], "warm again"


def test_what_diverges_without_warmth_has_failed() -> None:
    story = Story().tell(Started()).environment_ready()
    for _ in range(2):
        assert story.state.candidate is not None
        story.tell(Diverged(story.state.candidate, SETS))
    assert (story.state.phase, story.state.candidate) == (Phase.FAILED, None)


def test_a_second_try_that_is_held_back_raises_its_suspicion_once() -> None:
    story = Story().serving().saved(2)
    assert story.state.candidate is not None
    story.tell(Diverged(story.state.candidate, CRASHED)).loaded()
    candidate = story.candidate
    assert candidate is not None
    assert story.effects == [Suspect(candidate, CRASHED.suspicion)]
    story.until_deadline().tell(Loaded(candidate, current=True))
    assert story.effects[0] == Publish(candidate)


@pytest.mark.parametrize(
    "late",
    [
        EnvironmentChosen(BuildId(1), CHOICE, (Path("/p/uv.lock"),)),
        EnvironmentReady(BuildId(1), ENVIRONMENT),
        EnvironmentFailed(BuildId(1), INSTALLER),
    ],
)
def test_late_news_of_a_build_that_is_over_change_nothing(late: Event) -> None:
    story = Story().tell(Started()).tell(ReloadAsked())
    assert story.state.build == BuildId(2)
    before = story.state
    assert (story.tell(late).state, story.effects) == (before, [])


def test_the_end_of_an_unknown_runner_changes_nothing() -> None:
    story = Story().serving()
    before = story.state
    assert (story.exited(99).state, story.effects) == (before, [])


def test_a_runner_that_was_never_started_does_not_count_as_the_last_to_end() -> None:
    story = Story().serving()
    killed = Ended(7, Exit(signal=9), 1.0)
    assert story.state.serving is not None
    story.tell(Exited(story.state.serving, CRASH, ended=killed)).until_deadline()
    story.environment_ready().exited(story.state.candidate)
    assert story.state.last_exit == LastExit(killed, asked=False)


def test_a_broken_requirement_is_not_tried_again_by_itself() -> None:
    story = Story().tell(Started())
    assert story.state.build is not None
    story.tell(EnvironmentFailed(story.state.build, INSTALLER))
    assert (story.state.phase, story.state.deadline) == (Phase.FAILED, None)


def test_what_was_listed_before_is_asked_for_once() -> None:
    story = Story().tell(Started()).environment_ready().load_failed()
    assert story.effects[-1] == Recall()
    assert under(story, replace(story.policy, start_timeout=1.0)).effects == []


def test_a_stop_ends_what_was_wrong() -> None:
    story = Story().serving().saved().load_failed()
    assert story.state.problem is not None
    after = story.tell(Stopped())
    assert (after.state.problem, after.state.behind) == (None, False)


def test_a_stop_during_a_restart_does_not_start_again() -> None:
    story = Story().serving()
    former = story.runner
    story.tell(RestartAsked()).tell(Stopped()).exited(former)
    assert (story.state.phase, story.state.start_again) == (Phase.STOPPED, False)


def test_a_restart_that_is_over_leaves_nothing_behind_that_starts_again() -> None:
    story = Story().serving()
    former = story.runner
    story.tell(RestartAsked()).exited(former)
    assert not story.state.start_again
    story.environment_ready().loaded()
    assert story.state.serving != former


HANG = Problem("unresponsive", "no answer within 10 s", at=1.0)


def condemned(story: Story) -> Story:
    assert story.state.serving is not None
    return story.tell(Condemned(story.runner, HANG))


def test_why_a_runner_was_ended_is_not_said_of_the_next_one() -> None:
    story = condemned(Story().serving())
    story.exited(story.state.serving).until_deadline().environment_ready().loaded()
    story.exited(story.state.serving)
    assert story.state.problem == CRASH


@pytest.mark.parametrize("how", ["replaced", "restarted"])
def test_why_a_runner_was_ended_is_not_said_of_one_that_came_before_its_end(how: str) -> None:
    if how == "replaced":
        story = condemned(Story().serving().saved()).loaded()
    else:
        story = condemned(Story().serving())
        former = story.state.serving
        story.tell(RestartAsked()).exited(former).environment_ready().loaded()
    story.exited(story.state.serving)
    assert story.state.problem == CRASH


def test_a_save_forgives_the_failures_of_the_past() -> None:
    story = Story(replace(POLICY, restart_limit=RestartLimit(count=1, period=600))).serving()
    story.exited(story.state.serving).until_deadline().environment_ready().loaded()
    story.saved().loaded()
    story.exited(story.state.serving)
    assert story.state.phase is Phase.BACKOFF


def test_the_last_failure_of_what_was_condemned_is_what_it_was_condemned_for() -> None:
    story = Story().serving()
    runner = story.runner
    story.tell(Condemned(runner, HANG)).exited(runner)
    assert story.state.last_failure == HANG


def test_the_last_failure_of_a_candidate_beside_what_was_condemned_is_its_own() -> None:
    story = Story().serving().saved()
    story.tell(Condemned(story.runner, HANG)).exited(story.state.candidate)
    assert story.state.last_failure == CRASH


BESIDE = Problem("limit", "a run used 2 GiB of memory", at=1.0)


def test_a_limit_that_was_met_beside_the_runner_is_shown_until_the_next_load() -> None:
    story = Story().serving()
    story.tell(LimitMetBeside(BESIDE))
    assert (story.state.shown, story.state.problem) == ("serving", BESIDE)
    assert not story.state.stale
    story.saved().loaded()
    assert (story.state.problem, story.state.last_failure) == (None, BESIDE)


def test_a_limit_that_was_met_beside_the_runner_hides_no_problem_of_its_own() -> None:
    story = Story().serving().saved()
    assert story.state.candidate is not None
    story.tell(LoadFailed(story.state.candidate, CRASH)).tell(LimitMetBeside(BESIDE))
    assert (story.state.problem, story.state.last_failure) == (CRASH, BESIDE)


@pytest.mark.parametrize("event", [ReloadAsked(), RestartAsked(), Started()])
def test_an_order_to_load_again_forgives_the_failures_of_the_past(event: Event) -> None:
    story = Story()
    story.tell(Started()).environment_ready().exited(story.state.candidate)
    assert story.state.phase is Phase.BACKOFF
    assert len(story.state.history.failures) == 1
    story.tell(event)
    assert story.state.history == NO_FAILURES


def test_a_load_that_ends_after_a_fork_is_made_again_once() -> None:
    story = Story().tell(Started()).environment_ready()
    for _ in range(2):
        assert story.state.candidate is not None
        story.tell(Exited(story.state.candidate, CRASH, cold=CRASHED))
    assert (story.state.phase, story.state.problem) == (Phase.BACKOFF, CRASH)


def test_the_end_of_a_candidate_that_has_loaded_is_not_blamed_on_its_start() -> None:
    story = Story().serving().saved(2).loaded()
    assert story.state.candidate is not None
    story.tell(Exited(story.state.candidate, CRASH, cold=CRASHED))
    assert (story.state.phase, story.state.problem) == (Phase.SERVING, CRASH)


@pytest.mark.parametrize("waits", ["to be launched", "loaded"])
def test_another_start_timeout_means_nothing_to_what_is_not_loading(waits: str) -> None:
    story = Story().serving().saved(2)
    story = story.wait(0.01).saved(2) if waits == "to be launched" else story.loaded()
    deadline = story.state.deadline
    assert deadline is not None
    under(story, replace(story.policy, start_timeout=1.0))
    assert story.state.deadline == deadline
