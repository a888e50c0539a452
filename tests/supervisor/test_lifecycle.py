"""Stories of one location, told to the pure state machine with a clock of our own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codelocd import lifecycle as lc
from codelocd.model import BuildId, Phase, Policy, Problem, RestartLimit, RunnerId

LOAD = Problem("load", "SyntaxError (defs.py:1)", at=1.0)
CRASH = Problem("crash", "the runner was killed by SIGKILL", at=1.0)
INSTALLER = Problem("environment", "no such package: nope", at=1.0)
POLICY = Policy()


class Story:
    """A location's state and what it asked for, under a clock that only moves when told."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.state = lc.State()
        self.policy = policy
        self.now = 1000.0
        self.effects: list[lc.Effect] = []

    def tell(self, event: lc.Event) -> Story:
        self.state, effects = lc.step(self.state, event, self.now, self.policy)
        self.effects = list(effects)
        return self

    def wait(self, seconds: float) -> Story:
        self.now += seconds
        return self

    def until_deadline(self) -> Story:
        assert self.state.deadline is not None
        self.now = max(self.now, self.state.deadline)
        return self.tell(lc.DeadlinePassed())

    def environment_ready(self) -> Story:
        assert self.state.build is not None
        return self.tell(lc.EnvironmentReady(self.state.build))

    def loaded(self, *, current: bool = True, locked: bool = False) -> Story:
        assert self.state.candidate is not None
        candidate = self.state.candidate
        self.tell(lc.Launched(candidate))
        return self.tell(lc.Loaded(candidate, current, locked))

    def load_failed(self) -> Story:
        assert self.state.candidate is not None
        return self.tell(lc.LoadFailed(self.state.candidate, LOAD))

    def exited(self, runner: int | None) -> Story:
        assert runner is not None
        return self.tell(lc.Exited(RunnerId(runner), CRASH))

    def serving(self) -> Story:
        self.tell(lc.Started())
        if self.state.phase is Phase.BUILDING:
            self.environment_ready()
        return self.loaded()

    def saved(self, differing: int = 1, *, locked: bool = False) -> Story:
        return self.tell(lc.SourcesChanged(differing, locked=locked))


def test_a_start_prepares_the_environment_then_launches_then_publishes() -> None:
    story = Story()
    story.tell(lc.Started())
    assert story.effects == [lc.Prepare(BuildId(1))]
    story.environment_ready()
    assert story.effects == [lc.Launch(RunnerId(2))]
    story.loaded()
    assert story.effects == [lc.Publish(RunnerId(2))]
    assert (story.state.shown, story.state.generation, story.state.stale) == ("serving", 1, False)


def test_a_save_starts_a_candidate_beside_the_runner_that_serves() -> None:
    story = Story().serving()
    former = story.state.serving
    story.saved()
    assert story.effects == [lc.Launch(RunnerId(3))]
    assert (story.state.shown, story.state.reloading) == ("serving", "starting")
    assert story.state.serving == former


def test_the_candidate_of_a_single_save_takes_over_as_soon_as_it_has_loaded() -> None:
    story = Story().serving()
    story.saved().loaded()
    assert story.effects == [lc.Publish(RunnerId(3)), lc.Retire(RunnerId(2))]
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


def test_a_load_error_with_nothing_serving_fails_at_once_and_waits_for_a_change() -> None:
    story = Story()
    story.tell(lc.Started()).environment_ready().load_failed()
    assert story.state.phase is Phase.FAILED
    assert story.state.deadline is None
    story.wait(10).saved()
    assert isinstance(story.effects[0], lc.Launch)


def test_an_exit_during_the_load_with_nothing_serving_backs_off_and_tries_again() -> None:
    story = Story()
    story.tell(lc.Started()).environment_ready()
    story.exited(story.state.candidate)
    assert story.state.phase is Phase.BACKOFF
    story.until_deadline()
    assert (story.state.phase, story.state.restarts) == (Phase.BUILDING, 1)


def test_an_exit_of_a_candidate_beside_a_serving_runner_is_not_retried() -> None:
    story = Story().serving().saved()
    story.exited(story.state.candidate)
    assert (story.state.phase, story.state.stale) == (Phase.SERVING, True)
    assert story.state.deadline is None


def test_the_first_restart_of_a_healthy_runner_is_immediate() -> None:
    story = Story().serving().wait(POLICY.healthy_after)
    story.exited(story.state.serving)
    assert (story.state.phase, story.state.restarts) == (Phase.BUILDING, 1)
    assert isinstance(story.effects[0], lc.Prepare)


def test_the_last_definitions_stay_listed_as_stale_while_a_crashed_location_comes_back() -> None:
    story = Story().serving()
    story.exited(story.state.serving)
    assert (story.state.shown, story.state.listed, story.state.stale) == ("backoff", True, True)


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


def test_a_runner_that_dies_while_its_successor_loads_leaves_the_successor_to_take_over() -> None:
    story = Story().serving().saved()
    story.exited(story.state.serving)
    assert (story.state.shown, story.state.stale) == ("starting", True)
    story.loaded()
    assert (story.state.shown, story.state.stale, story.effects) == (
        "serving",
        False,
        [lc.Publish(RunnerId(3))],
    )


def test_a_save_during_a_load_drops_the_candidate_and_starts_another() -> None:
    story = Story().serving().saved()
    dropped = story.state.candidate
    story.wait(0.01).saved()
    assert story.effects == [lc.Kill(dropped)]
    story.until_deadline()
    assert isinstance(story.effects[0], lc.Launch)
    assert story.state.candidate != dropped


def test_late_news_of_a_dropped_candidate_changes_nothing() -> None:
    story = Story().serving().saved()
    dropped = story.state.candidate
    assert dropped is not None
    story.wait(0.01).saved()
    before = story.state
    story.tell(lc.Loaded(dropped, current=True)).tell(lc.LoadFailed(dropped, LOAD))
    assert (story.state, story.effects) == (before, [])


def test_a_candidate_that_did_not_read_what_the_disk_holds_is_replaced() -> None:
    story = Story().serving().saved()
    outdated = story.state.candidate
    story.loaded(current=False)
    assert lc.Kill(outdated) in story.effects
    story.until_deadline().loaded()
    assert (story.state.shown, story.state.stale) == ("serving", False)


def test_code_that_rewrites_its_sources_at_every_load_is_served_after_bounded_tries() -> None:
    story = Story()
    story.tell(lc.Started()).environment_ready()
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
            story.tell(lc.DeadlinePassed())
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
    assert story.effects == [lc.Inspect(RunnerId(3))]
    story.tell(lc.Loaded(RunnerId(3), current=True))
    assert story.state.generation == 2


def test_a_git_lock_holds_a_takeover_back_but_not_for_ever() -> None:
    story = Story().serving().saved(1, locked=True).loaded(locked=True)
    assert story.state.generation == 1
    held = story.now
    while story.state.generation == 1:
        story.until_deadline().tell(lc.Loaded(RunnerId(3), current=True, locked=True))
    assert 30 <= story.now - held < 31


def test_a_hung_candidate_is_dropped_at_once_by_the_fix() -> None:
    story = Story().serving().saved()
    hung = story.state.candidate
    story.wait(60).saved()
    assert story.effects == [lc.Kill(hung)]
    story.until_deadline().loaded()
    assert story.state.generation == 2


def test_a_load_that_takes_too_long_is_explained_then_failed() -> None:
    story = Story()
    story.tell(lc.Started()).environment_ready()
    candidate = story.state.candidate
    assert candidate is not None
    story.tell(lc.Launched(candidate)).until_deadline()
    assert story.effects == [lc.Explain(candidate)]
    story.load_failed()
    assert story.effects == [lc.Kill(candidate)]
    assert story.state.phase is Phase.FAILED


def test_the_time_to_load_counts_from_the_launch_and_not_from_the_wait_for_a_turn() -> None:
    story = Story()
    story.tell(lc.Started()).environment_ready()
    assert story.state.deadline is None
    story.wait(500).tell(lc.Launched(RunnerId(2)))
    assert story.state.deadline == story.now + POLICY.start_timeout


def test_a_failed_build_leaves_everything_as_it_was() -> None:
    story = Story().serving()
    story.tell(lc.SourcesChanged(0, inputs=True))
    build = story.state.build
    assert build is not None
    assert story.state.reloading == "building"
    story.tell(lc.EnvironmentFailed(build, INSTALLER))
    assert (story.state.shown, story.state.stale, story.state.problem) == (
        "serving",
        True,
        INSTALLER,
    )


def test_a_failed_build_is_retried_by_the_next_save() -> None:
    story = Story().serving()
    story.tell(lc.SourcesChanged(0, inputs=True))
    assert story.state.build is not None
    story.tell(lc.EnvironmentFailed(story.state.build, INSTALLER)).wait(3).saved()
    assert isinstance(story.effects[0], lc.Prepare)


def test_a_build_that_takes_too_long_is_cancelled() -> None:
    story = Story()
    story.tell(lc.Started()).until_deadline()
    assert story.effects == [lc.CancelBuild(BuildId(1))]
    assert story.state.problem is not None
    assert "build_timeout" in story.state.problem.summary


def test_a_stop_withdraws_the_definitions_and_holds_against_changes() -> None:
    story = Story().serving()
    runner = story.state.serving
    story.tell(lc.Stopped())
    assert story.effects == [lc.Retire(runner), lc.Withdraw()]
    assert story.state.phase is Phase.STOPPING
    story.exited(runner).saved()
    assert (story.state.phase, story.effects) == (Phase.STOPPED, [])


def test_a_stop_in_the_middle_of_a_reload_ends_both_runners() -> None:
    story = Story().serving().saved()
    serving, candidate = story.state.serving, story.state.candidate
    story.tell(lc.Stopped())
    assert story.effects == [lc.Kill(candidate), lc.Retire(serving), lc.Withdraw()]
    story.exited(candidate)
    assert story.state.phase is Phase.STOPPING
    story.exited(serving)
    assert story.state.phase is Phase.STOPPED


def test_a_restart_starts_only_after_the_old_runner_is_gone() -> None:
    story = Story().serving()
    runner = story.state.serving
    story.tell(lc.RestartAsked())
    assert story.effects == [lc.Retire(runner)]
    assert story.state.listed
    story.exited(runner)
    assert isinstance(story.effects[0], lc.Prepare)


def test_a_start_during_a_stop_starts_again_when_it_is_done() -> None:
    story = Story().serving()
    runner = story.state.serving
    story.tell(lc.Stopped()).tell(lc.Started()).exited(runner)
    assert story.state.phase is Phase.BUILDING


def test_a_reload_loads_a_new_runner_even_if_nothing_changed() -> None:
    story = Story().serving().tell(lc.ReloadAsked()).environment_ready().loaded()
    assert (story.state.generation, story.state.stale) == (2, False)


def test_an_unresponsive_runner_is_killed_and_replaced_and_the_problem_says_why() -> None:
    hang = Problem("unresponsive", "no answer within 10 s", at=1.0)
    story = Story().serving()
    runner = story.state.serving
    assert runner is not None
    story.tell(lc.Condemned(runner, hang))
    assert story.effects == [lc.Kill(runner)]
    story.exited(runner)
    assert (story.state.phase, story.state.problem) == (Phase.BACKOFF, hang)


def test_a_start_forgives_the_failures_of_the_past() -> None:
    story = Story(replace(POLICY, restart_limit=RestartLimit(count=0, period=60))).serving()
    story.exited(story.state.serving)
    assert story.state.phase is Phase.FAILED
    story.tell(lc.Started()).environment_ready().loaded()
    assert (story.state.shown, story.state.problem) == ("serving", None)


@pytest.mark.parametrize("event", [lc.SourcesChanged(1), lc.ReloadAsked()])
def test_nothing_starts_a_location_that_nobody_wants(event: lc.Event) -> None:
    story = Story().tell(event)
    assert (story.state.phase, story.effects) == (Phase.STOPPED, [])


def test_a_build_that_may_succeed_later_is_tried_again_for_ever_with_growing_pauses() -> None:
    story = Story().tell(lc.Started())
    pauses = []
    for _ in range(12):
        assert story.state.build is not None
        story.tell(lc.EnvironmentFailed(story.state.build, INSTALLER, passing=True))
        assert (story.state.shown, story.state.problem) == ("backoff", INSTALLER)
        assert story.state.deadline is not None
        pauses.append(round(story.state.deadline - story.now, 3))
        story.until_deadline()
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == POLICY.backoff.maximum


def test_beside_a_runner_that_serves_no_build_is_tried_again_by_itself() -> None:
    story = Story().serving().tell(lc.ReloadAsked())
    assert story.state.build is not None
    story.tell(lc.EnvironmentFailed(story.state.build, INSTALLER, passing=True))
    assert (story.state.shown, story.state.stale, story.state.deadline) == ("serving", True, None)


def test_an_environment_that_was_lost_before_the_start_is_prepared_again() -> None:
    story = Story().serving().saved()
    assert story.state.candidate is not None
    candidate = story.state.candidate
    story.tell(lc.EnvironmentLost(candidate))
    assert story.effects == [lc.Kill(candidate), lc.Prepare(story.state.build)]
    assert (story.state.shown, story.state.reloading) == ("serving", "building")
    assert story.tell(lc.EnvironmentLost(candidate)).effects == []


def test_a_reload_during_a_restart_waits_for_the_old_runner_like_the_restart() -> None:
    story = Story().serving()
    former = story.state.serving
    story.tell(lc.RestartAsked()).tell(lc.ReloadAsked())
    assert (story.state.phase, story.effects) == (Phase.STOPPING, [])
    story.exited(former)
    assert story.state.phase is Phase.BUILDING


def test_a_candidate_that_died_makes_the_next_attempt_look_at_its_environment_anew() -> None:
    story = Story().serving().saved()
    story.exited(story.state.candidate).wait(3).saved()
    assert story.state.phase is Phase.BUILDING
