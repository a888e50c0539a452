"""Durations and sizes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codelocd.config.errors import UnfitError
from codelocd.config.quantities import (
    BYTES,
    SECONDS,
    duration_text,
    pattern,
    seconds,
    size,
    size_text,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("180s", 180),
        ("30min", 1800),
        ("100ms", 0.1),
        ("1h", 3600),
        ("2 d", 172800),
        ("1.5s", 1.5),
        (7, 7),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_has_a_unit(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["0s", "100ms", "90s", "3min", "1h", "2d", "0.0005s", "1500ms"])
def test_a_duration_is_told_in_the_largest_unit_of_which_it_is_whole(text: str) -> None:
    assert duration_text(seconds(text)) == text


@pytest.mark.parametrize("text", ["0B", "100MiB", "2GB", "1000001B", "1TiB"])
def test_a_size_is_told_in_the_largest_unit_of_which_it_is_whole(text: str) -> None:
    assert size_text(size(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2GiB", 2 * 1024**3), ("1.5 kB", 1500), ("10B", 10), (4096, 4096), ("1TiB", 1024**4)],
)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(text, expected):
    assert size(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "3",
        "3m",
        "-1s",
        "1e3s",
        "1.s",
        "1h30min",
        "1s\n",
        "٣s",
        None,
        True,
        [],
        float("nan"),
        float("inf"),
        10**400,
        "9" * 400 + "d",
    ],
)
def test_anything_else_is_refused_with_the_valid_units(value):
    with pytest.raises(UnfitError, match="ms, s, min, h, d"):
        seconds(value)


@given(st.integers(0, 10**6), st.sampled_from(sorted(SECONDS)))
def test_a_duration_means_its_number_times_its_unit(number, unit):
    assert seconds(f"{number}{unit}") == number * SECONDS[unit]


@given(st.integers(0, 10**3), st.sampled_from(sorted(BYTES)))
def test_a_size_means_its_number_times_its_unit(number, unit):
    if number * BYTES[unit] <= 10**15:
        assert size(f"{number}{unit}") == number * BYTES[unit]


@given(st.text())
def test_text_is_a_duration_exactly_where_the_schemas_pattern_says_so(text):
    fits = re.fullmatch(pattern(SECONDS), text) is not None
    try:
        seconds(text)
    except UnfitError:
        assert not fits
    else:
        assert fits
