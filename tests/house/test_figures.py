"""What `make bench` says of what it measured."""

import pytest
from benchmarks._measure import Figure, difference, ratio, table

SLOW = Figure("slow", "ms", (30.0, 50.0, 40.0))
QUICK = Figure("quick", "ms", (10.0, 10.0, 20.0))


def test_a_figure_is_a_median_with_its_extremes_and_the_number_of_runs() -> None:
    assert Figure("status", "ms", (3.0, 1.0, 2.5)).row() == (
        "status",
        "2.50 ms",
        "1.00 – 3.00",
        "3",
        "",
        "",
    )


def test_a_difference_is_taken_pair_by_pair() -> None:
    assert difference("over", SLOW, QUICK).values == (20.0, 40.0, 20.0)


def test_a_ratio_is_taken_pair_by_pair() -> None:
    assert ratio("over", SLOW, QUICK).values == (3.0, 5.0, 2.0)


@pytest.mark.parametrize(("target", "met"), [(40.0, True), (39.0, False), (None, None)])
def test_a_target_is_met_by_the_median(target: float | None, met: bool | None) -> None:
    assert Figure("slow", "ms", SLOW.values, target).met is met


def test_a_missed_target_stands_out_in_the_table() -> None:
    lines = table([Figure("slow", "ms", SLOW.values, 39.0), QUICK]).splitlines()
    assert "**missed**" in lines[2]
    assert "missed" not in lines[3]
    assert len({len(line) for line in lines}) == 1
