"""Cron expressions: which are taken, which are refused, and what the refusal says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeloc import times

MINUTE, HOUR, DAY, MONTH, WEEKDAY = times.FIELDS


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "0 6 * * *",
        "  0\t6  *  * * ",
        "*/15 0-23/2 1,15 1-12/3 1-5",
        "59 23 31 12 7",
        "0 0 29 2 *",
        "0 0 1 JAN-mar,Dec MON,wed-Fri",
        "5/15 * * * *",
        "00 06 01 01 00",
        "@hourly",
        "@daily",
        "@midnight",
        "@weekly",
        "@monthly",
        "@yearly",
        "@annually",
        " @Daily ",
    ],
)
def test_an_expression_that_names_a_time_has_no_problem(expression: str) -> None:
    assert times.cron_problem(expression) is None


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        (MINUTE, "*", set(range(60))),
        (HOUR, "*", set(range(24))),
        (DAY, "*", set(range(1, 32))),
        (MONTH, "*", set(range(1, 13))),
        (MINUTE, "*/20", {0, 20, 40}),
        (DAY, "*/10", {1, 11, 21, 31}),
        (MINUTE, "50/4", {50, 54, 58}),
        (HOUR, "8-18/5", {8, 13, 18}),
        (HOUR, "1,2,2,5-6", {1, 2, 5, 6}),
        (MONTH, "jan,MAR-may", {1, 3, 4, 5}),
        (MONTH, "oct-12", {10, 11, 12}),
        (WEEKDAY, "sun", {0}),
        (WEEKDAY, "fri-sun", {5, 6, 7}),
        (WEEKDAY, "5-0", {5, 6, 7}),
        (WEEKDAY, "sun-tue", {0, 1, 2}),
        (WEEKDAY, "7", {7}),
    ],
)
def test_a_field_allows_these_values(field: times.Field, text: str, values: set[int]) -> None:
    assert field.values(text) == values


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "0 fields, expected 5: minute, hour, day of month, month, day of week"),
        ("* * * *", "4 fields, expected 5: minute, hour, day of month, month, day of week"),
        ("0 0 6 * * *", "6 fields, expected 5: minute, hour, day of month, month, day of week"),
        ("60 * * * *", "minute '60': '60' is not one of 0 to 59"),
        ("* 24 * * *", "hour '24': '24' is not one of 0 to 23"),
        ("* * 0 * *", "day of month '0': '0' is not one of 1 to 31"),
        ("* * 32 * *", "day of month '32': '32' is not one of 1 to 31"),
        ("* * * 0 *", "month '0': '0' is not one of 1 to 12 or jan to dec"),
        ("* * * 13 *", "month '13': '13' is not one of 1 to 12 or jan to dec"),
        ("* * * * 8", "day of week '8': '8' is not one of 0 to 7 or sun to sat"),
        ("* * * * monday", "day of week 'monday': 'monday' is not one of 0 to 7 or sun to sat"),
        ("* * * mon *", "month 'mon': 'mon' is not one of 1 to 12 or jan to dec"),
        ("mon * * * *", "minute 'mon': 'mon' is not one of 0 to 59"),
        ("-1 * * * *", "minute '-1': '' is not one of 0 to 59"),
        ("1- * * * *", "minute '1-': '' is not one of 0 to 59"),
        ("1-2-3 * * * *", "minute '1-2-3': '2-3' is not one of 0 to 59"),
        ("1,,2 * * * *", "minute '': '' is not one of 0 to 59"),
        ("1, * * * *", "minute '': '' is not one of 0 to 59"),
        ("1.5 * * * *", "minute '1.5': '1.5' is not one of 0 to 59"),
        ("٣ * * * *", "minute '٣': '٣' is not one of 0 to 59"),
        ("* 22-4 * * *", "hour '22-4': the range runs backwards"),
        ("* * * * sat-mon", "day of week 'sat-mon': the range runs backwards"),
        ("*/0 * * * *", "minute '*/0': a step is a number from 1 to 59"),
        ("*/60 * * * *", "minute '*/60': a step is a number from 1 to 59"),
        ("* */24 * * *", "hour '*/24': a step is a number from 1 to 23"),
        ("*/ * * * *", "minute '*/': a step is a number from 1 to 59"),
        ("*/x * * * *", "minute '*/x': a step is a number from 1 to 59"),
        ("*/2/2 * * * *", "minute '*/2/2': a step is a number from 1 to 59"),
        ("* * L * *", "day of month 'L': 'L' is not one of 1 to 31"),
        ("* * ? * *", "day of month '?': '?' is not one of 1 to 31"),
        ("* * * * 5#2", "day of week '5#2': '5#2' is not one of 0 to 7 or sun to sat"),
        ("**  * * * *", "minute '**': '**' is not one of 0 to 59"),
        (
            "@reboot",
            f"'@reboot' is not one of {', '.join(times.MACROS)}",
        ),
    ],
)
def test_a_malformed_expression_is_refused_with_the_field_and_what_it_may_be(
    expression: str, complaint: str
) -> None:
    assert times.cron_problem(expression) == f"{expression!r}: {complaint}"


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("0 0 30 2 *", "it would never run: no day 30 in feb"),
        ("0 0 30,31 feb *", "it would never run: no day 30 in feb"),
        ("0 0 31 2,4,jun *", "it would never run: no day 31 in feb, apr, jun"),
        ("0 0 31 9-9 *", "it would never run: no day 31 in sep"),
        ("0 0 30 2 */2", "it would never run: no day 30 in feb"),
    ],
)
def test_a_date_that_no_year_has_is_refused(expression: str, complaint: str) -> None:
    assert times.cron_problem(expression) == f"{expression!r}: {complaint}"


@pytest.mark.parametrize("expression", ["0 0 31 2,3 *", "0 0 29-31 2 *", "0 0 30 2 mon"])
def test_a_day_that_some_month_or_the_weekday_offers_is_taken(expression: str) -> None:
    assert times.cron_problem(expression) is None


@given(st.text(alphabet="0123456789*/,- @adfimnouwy", max_size=20))
def test_any_text_is_either_taken_or_refused_in_one_line(expression: str) -> None:
    problem = times.cron_problem(expression)

    assert problem is None or "\n" not in problem


@given(st.lists(st.integers(0, 59), min_size=1), st.data())
def test_a_list_of_numbers_allows_exactly_those(numbers: list[int], data: st.DataObject) -> None:
    step = data.draw(st.integers(1, 59))

    assert MINUTE.values(",".join(map(str, numbers))) == set(numbers)
    assert MINUTE.values(f"{numbers[0]}-59/{step}") == set(range(numbers[0], 60, step))
