"""When a candidate may take over, for changes at times of our own."""

from codelocd.core import takeover


def test_a_single_save_does_not_wait() -> None:
    burst = takeover.changed(takeover.CALM, 1, locked=False, now=10.0)
    assert takeover.hold_until(burst, locked=False, now=10.03) is None


def test_many_files_wait_for_a_rest_after_the_last_event() -> None:
    burst = takeover.changed(takeover.CALM, 2, locked=False, now=10.0)
    burst = takeover.changed(burst, 3, locked=False, now=10.1)
    assert takeover.hold_until(burst, locked=False, now=10.2) == 10.1 + takeover.QUIET
    assert takeover.hold_until(burst, locked=False, now=10.26) is None


def test_one_file_saved_after_another_counts_as_many() -> None:
    burst = takeover.changed(takeover.CALM, 1, locked=False, now=10.0)
    burst = takeover.changed(burst, 2, locked=False, now=10.05)
    burst = takeover.changed(burst, 1, locked=False, now=10.06)
    assert takeover.hold_until(burst, locked=False, now=10.07) is not None


def test_sources_that_never_rest_are_served_after_a_while() -> None:
    burst = takeover.CALM
    for tick in range(25):
        burst = takeover.changed(burst, 2, locked=False, now=10 + tick * 0.1)
    assert takeover.hold_until(burst, locked=False, now=12.45) is None


def test_a_forgotten_git_lock_does_not_hold_for_ever() -> None:
    burst = takeover.changed(takeover.CALM, 1, locked=True, now=10.0)
    assert takeover.hold_until(burst, locked=True, now=39.0) is not None
    assert takeover.hold_until(burst, locked=True, now=45.0) is None


def test_a_pause_between_saves_begins_another_burst() -> None:
    burst = takeover.dropped(takeover.changed(takeover.CALM, 5, locked=False, now=10.0))
    later = takeover.changed(burst, 1, locked=False, now=13.0)
    assert (later.many, later.drops, later.began) == (False, 0, 13.0)


def test_while_a_candidate_starts_each_drop_counts_however_slow_its_load_is() -> None:
    burst = takeover.dropped(takeover.changed(takeover.CALM, 5, locked=False, now=10.0))
    later = takeover.changed(burst, 1, locked=False, now=16.0, starting=True)
    assert (later.many, later.drops, later.began) == (False, 1, 16.0)


def test_drops_back_off_and_then_end() -> None:
    burst = takeover.changed(takeover.CALM, 1, locked=False, now=10.0)
    pauses = []
    while takeover.may_drop(burst):
        burst = takeover.dropped(burst)
        pauses.append(takeover.relaunch_pause(burst))
    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32]


def test_a_git_lock_counts_as_many_files_however_few_differ() -> None:
    first = takeover.changed(takeover.CALM, 1, locked=True, now=10.0)
    later = takeover.changed(takeover.changed(takeover.CALM, 1, False, 10.0), 1, True, 10.1)
    assert first.many
    assert later.many


def test_without_a_change_nothing_waits() -> None:
    assert takeover.hold_until(takeover.CALM, locked=True, now=10.0) is None


def test_the_first_change_ever_begins_a_burst_however_young_the_clock_is() -> None:
    assert takeover.changed(takeover.CALM, 1, locked=False, now=1.0).began == 1.0


def test_what_lasts_exactly_as_long_as_its_limit() -> None:
    """At the limit the patience is over, the rest is long enough, and a burst still goes on."""
    locked = takeover.Burst(began=10.0, latest=10.0, many=False)
    assert takeover.hold_until(locked, locked=True, now=40.0) is None
    churning = takeover.Burst(began=10.0, latest=12.0, many=True)
    assert takeover.hold_until(churning, locked=False, now=12.0) is None
    assert takeover.worth_another(takeover.Burst(began=0.0, latest=0.0), now=takeover.QUIET)
    same = takeover.changed(takeover.Burst(began=10.0, latest=10.0, drops=1), 1, False, 12.0)
    assert same.drops == 1


def test_another_candidate_is_worth_it_only_after_a_rest_and_not_without_end() -> None:
    rested = takeover.Burst(began=10.0, latest=10.0, drops=2 * takeover.MAX_DROPS - 1)
    assert takeover.worth_another(rested, now=11.0)
    assert not takeover.worth_another(takeover.dropped(rested), now=11.0)
    assert not takeover.worth_another(rested, now=10.1)


def test_beside_a_forgotten_lock_a_burst_may_still_come_to_its_rest() -> None:
    """The lock's patience is over, that for sources which never rest begins there."""
    burst = takeover.Burst(began=10.0, latest=40.9, many=True)
    assert takeover.hold_until(burst, locked=True, now=41.0) == 40.9 + takeover.QUIET
    churning = takeover.Burst(began=10.0, latest=41.9, many=True)
    assert takeover.hold_until(churning, locked=True, now=42.0) is None


def test_what_fails_again_and_again_while_its_sources_change_is_owed_no_end_of_others() -> None:
    drops = takeover.MAX_DROPS
    owed = [takeover.is_owed_another(takeover.Burst(drops=n)) for n in (drops - 1, drops)]
    assert owed == [False, True]
    owed = [takeover.is_owed_another(takeover.Burst(drops=2 * drops - n)) for n in (1, 0)]
    assert owed == [True, False]
