"""Which runs may start under the limits."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from codelocd.runs.model import Deadlines, RunId, RunPolicy, RunRecord, RunState, RunWish
from codelocd.runs.queue import RunLimits, reached, startable

WIDE = 1000


def run(number: int, state: RunState = RunState.QUEUED, **wish: Any) -> RunRecord:
    policy = RunPolicy(limits=wish.pop("limits", {}))
    wish = {"location": "sales", **wish, "policy": policy}
    return RunRecord(RunId(number), "u", RunWish(**wish), queued=float(number), state=state)


def test_the_oldest_start_first_and_not_more_than_may() -> None:
    runs = [run(3), run(1), run(2), run(9, RunState.RUNNING), run(8, RunState.SUCCEEDED)]
    assert startable(runs, RunLimits(3), 0) == [1, 2]


def test_a_full_tag_holds_up_nothing_else() -> None:
    runs = [run(n, tags={"db": "x"}) for n in range(50)] + [run(n) for n in range(50, 100)]
    limits = RunLimits(WIDE, tags={"db": 1})
    assert startable(runs, limits, 0) == [0, *range(50, 100)]
    runs[0] = run(0, RunState.RUNNING, tags={"db": "x"})
    assert startable(runs, limits, 0) == list(range(50, 100))


def test_limits_hold_of_locations_jobs_and_values_of_tags() -> None:
    runs = [
        run(1, job="a"),
        run(2, job="a"),
        run(3, location="x"),
        run(4, location="x"),
        run(5, tags={"db": "1"}),
        run(6, tags={"db": "2"}),
        run(7, tags={"db": "2"}),
    ]
    limits = RunLimits(WIDE, {"x": 1}, {"sales/a": 1}, {"db=2": 1})
    assert startable(runs, limits, 0) == [1, 3, 5, 6]


def test_a_name_has_the_smallest_limit_that_is_stated_for_it() -> None:
    going = run(1, RunState.RUNNING, limits={"db": 2})
    assert startable([going, run(2, limits={"db": 3})], RunLimits(WIDE), 0) == [2]
    assert startable([going, run(2, limits={"db": 1})], RunLimits(WIDE), 0) == []
    going = run(1, RunState.RUNNING, limits={"db": 1})
    assert startable([going, run(2, limits={"db": 3})], RunLimits(WIDE), 0) == []


def test_what_waits_says_for_which_limits() -> None:
    limits = RunLimits(2, {"x": 1}, {}, {"db=2": 1})
    runs = [run(1, RunState.RUNNING, location="x", tags={"db": "2"}, limits={"gpu": 2})]
    waiting = run(2, location="x", tags={"db": "2"}, limits={"gpu": 1})
    told = ["location x, 1 at a time", "tag db=2, 1 at a time", "limit gpu, 1 at a time"]
    assert reached(waiting, [*runs, waiting], limits) == told
    runs.append(run(3, RunState.STARTING))
    assert reached(run(4), runs, limits) == ["all runs, 2 at a time"]
    assert reached(run(4), runs[1:], limits) == []


def test_a_retry_waits_for_its_time_and_holds_up_nothing() -> None:
    waiting = RunRecord(RunId(1), "u", RunWish("a"), 0.0, deadlines=Deadlines(retry=10.0))
    assert startable([waiting, run(2)], RunLimits(1), 9) == [2]
    assert startable([waiting, run(2)], RunLimits(1), 10) == [1]


STATES = st.sampled_from([RunState.QUEUED, RunState.QUEUED, RunState.RUNNING, RunState.FAILED])
NAMES = st.dictionaries(st.sampled_from("ab"), st.integers(1, 3), max_size=2)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(STATES, NAMES), max_size=20), st.integers(1, 6))
def test_no_limit_is_passed_and_no_run_is_held_back_for_nothing(
    drawn: list[tuple[RunState, dict[str, int]]], most: int
) -> None:
    runs = [run(n, state, limits=limits) for n, (state, limits) in enumerate(drawn)]
    found = set(startable(runs, RunLimits(most), 0))
    going = [one for one in runs if one.state is RunState.RUNNING or one.id in found]
    assert not found or len(going) <= most
    for one in runs:
        limits = one.wish.policy.limits
        held = {
            name: [other for other in going if name in other.wish.policy.limits] for name in limits
        }
        if one.id in found:
            assert one.state is RunState.QUEUED
            assert all(len(held[name]) <= count for name, count in limits.items())
        elif one.state is RunState.QUEUED and len(going) < most:
            stated = {
                name: min([count, *(other.wish.policy.limits[name] for other in held[name])])
                for name, count in limits.items()
            }
            assert any(len(held[name]) >= stated[name] for name in limits)
