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


def test_drops_back_off_and_then_end() -> None:
    burst = takeover.changed(takeover.CALM, 1, locked=False, now=10.0)
    pauses = []
    while takeover.may_drop(burst):
        burst = takeover.dropped(burst)
        pauses.append(takeover.relaunch_pause(burst))
    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32]
