"""What may end beside a run, and when: each case that means anything has tests, which are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TEST = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
MOMENTS = ("before user code", "in user code", "after its result")

GOES_ON_WITHOUT_FORK_SERVER = "test_a_run_goes_on_where_its_fork_server_dies"
BEGINS_ALONE = "test_an_attempt_begins_where_its_fork_server_and_its_runner_have_just_died"
COUNTS_ALONE = "test_a_result_counts_where_fork_server_and_runner_die_after_it"
FULL_DISK = "test_a_full_disk_refuses_runs_and_loses_none_that_goes_on"
STALE = "test_a_stale_location_runs_its_last_good_code_and_assets_know_their_code"
STOPPED = "test_what_waits_for_a_location_that_is_stopped_is_cancelled_and_what_runs_goes_on"
REMOVED = "test_what_waits_for_a_location_that_is_removed_is_cancelled_and_what_runs_goes_on"
ADOPTED = "test_a_run_outlives_its_daemon_and_ends_under_the_next"

MATRIX: dict[str, tuple[tuple[str, ...], ...]] = {
    "the process of the attempt": (
        (
            "test_an_attempt_that_ends_before_user_code_starts_again",
            "test_three_that_end_before_user_code_are_a_failure_of_the_load",
            "test_an_attempt_that_is_killed_before_user_code_starts_again_three_times",
        ),
        (
            "test_one_that_ends_by_itself_says_where_and_what_it_printed_last",
            "test_an_attempt_that_is_killed_in_user_code_is_repeated_by_policy",
            "test_memory_over_the_limit_of_the_run_ends_it",
            "test_what_the_kernel_ended_for_its_memory_says_so",
        ),
        ("test_an_attempt_that_dies_after_its_result_has_that_result",),
    ),
    "the runner of the location": (
        (BEGINS_ALONE,),
        ("test_a_run_goes_on_where_its_runner_dies",),
        (COUNTS_ALONE,),
    ),
    "the fork server": (
        (BEGINS_ALONE, GOES_ON_WITHOUT_FORK_SERVER),
        (GOES_ON_WITHOUT_FORK_SERVER,),
        (COUNTS_ALONE,),
    ),
    "the daemon, by SIGTERM": (
        (
            "test_a_stop_waits_for_runs_and_leaves_those_that_wait_to_the_next_daemon",
            "test_a_shutdown_before_user_code_leaves_the_run_in_the_queue",
        ),
        (
            "test_a_run_that_ends_during_a_drain_is_not_cancelled",
            "test_what_takes_longer_than_the_drain_is_cancelled_and_says_why",
        ),
        ("test_a_result_counts_of_a_run_that_a_shutdown_ends_after_it",),
    ),
    "the daemon, by SIGKILL": (
        (
            "test_a_run_is_not_lost_where_the_daemon_dies_as_it_makes_its_process",
            "test_an_attempt_that_had_not_begun_is_started_again_as_the_same",
        ),
        (
            "test_a_run_goes_on_where_the_daemon_is_killed",
            "test_a_run_that_dies_without_a_daemon_is_lost_and_tried_again_by_policy",
            "test_a_run_under_dev_ends_with_the_daemon",
        ),
        ("test_a_run_that_ends_while_there_is_no_daemon_has_its_result",),
    ),
    "the machine": (
        ("test_what_waited_and_what_had_not_begun_starts_once",),
        (
            "test_what_was_in_user_code_is_lost_and_repeated_by_policy_alone",
            "test_what_had_begun_unrecorded_does_not_happen_twice",
        ),
        ("test_a_result_counts_and_the_value_of_its_asset_is_there",),
    ),
    "room on the disk": (
        (FULL_DISK, "test_nothing_starts_that_could_not_be_written_down"),
        (FULL_DISK,),
        (
            FULL_DISK,
            "test_a_result_that_finds_no_room_before_the_daemon_ends_is_lost_and_nothing_runs_twice",
        ),
    ),
    "code that loads": (
        (STALE, "test_a_tick_of_a_location_whose_save_is_broken_runs_the_last_good_code"),
        (STALE,),
        (),
    ),
    "the location, stopped or removed": (
        (
            STOPPED,
            REMOVED,
            "test_ticks_of_a_location_that_is_away_are_missed_and_the_newest_is_made_up",
        ),
        (STOPPED, REMOVED),
        (),
    ),
    "the client": (
        ("test_what_waits_is_run_although_the_client_that_asked_for_it_has_gone",),
        (
            "test_a_client_that_goes_away_leaves_its_runs",
            "test_a_run_outlives_its_client_and_another_one_cancels_it",
        ),
        (),
    ),
    "a clock that is right": (
        (
            "test_nothing_repeats_when_the_clock_goes_back",
            "test_a_machine_that_slept_is_noticed_within_a_minute",
            "test_a_day_that_the_clock_is_set_by_is_in_no_delay_of_the_next_daemon",
        ),
        (
            "test_a_clock_that_is_set_by_an_hour_is_in_no_duration_and_in_no_timeout",
            "test_an_attempt_that_lives_is_adopted_with_what_is_left_of_its_time",
            ADOPTED,
        ),
        (),
    ),
    "being the only daemon of its state": (
        ("test_promise_9_a_second_daemon_on_one_state_ends_with_75_and_names_the_first",),
        (),
        (),
    ),
}
"""By what ends, for each of MOMENTS; none where nothing can become of a run then."""


def test_every_case_names_tests_that_are_there() -> None:
    there = {name for file in TESTS.rglob("test_*.py") for name in TEST.findall(file.read_text())}
    for what, moments in MATRIX.items():
        assert len(moments) == len(MOMENTS)
        for moment, named in zip(MOMENTS, moments, strict=True):
            assert {*named} <= there, f"{what}, {moment}"
