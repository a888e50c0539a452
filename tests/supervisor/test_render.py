"""Text for people: amounts, tables, colours, and what may not reach a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from codelocd.render.journal import event, output, visible
from codelocd.render.text import (
    PLAIN,
    Column,
    Screen,
    block,
    colours,
    columns,
    duration,
    one_line,
    share,
    shortened,
    size,
    table,
)

COLOUR = Screen(colour=True, width=80)
PID = Column("PID", 2, right=True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "0ms"),
        (0.0421, "42ms"),
        (4.21, "4.2s"),
        (59.4, "59s"),
        (75, "1m 15s"),
        (3 * 3600 + 5 * 60, "3h 5m"),
        (2 * 86400 + 4 * 3600, "2d 4h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (31457280, "30 MiB"),
        (5 * 1024**4, "5.0 TiB"),
    ],
)
def test_a_size_has_a_binary_prefix(amount: int | None, text: str) -> None:
    assert size(amount) == text


def test_a_share_of_a_core_is_in_percent() -> None:
    assert (share(None), share(0.3), share(2)) == ("-", "30%", "200%")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    text = table(
        (Column("NAME"), PID, Column("WHY")), [("a", "1", ""), ("longer", "123", "x")], PLAIN
    )
    assert text.splitlines() == [
        "NAME    PID  WHY",
        "a         1  -",
        "longer  123  x",
    ]


def test_the_last_column_ends_where_the_screen_does() -> None:
    screen = Screen(width=30)
    lines = table(
        (Column("NAME"), Column("WHY", least=5)), [("sales", "x" * 80)], screen
    ).splitlines()
    assert len(lines[1]) == 30
    assert lines[1].endswith("…")


WIDE = (Column("NAME", least=6), PID, Column("WHY", 1, least=10), Column("NOTE", 3))
ROWS = [("sales-of-europe", "4711", "it did not load", "-"), ("売上の場所", "4712", "-", "-")]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (60, ["NAME             PID   WHY              NOTE",
              "sales-of-europe  4711  it did not load  -"]),
        (28, ["NAME         PID  WHY", "sales-of-…  4711  it did no…"]),
        (24, ["NAME    PID   WHY", "sales…  4711  it did no…"]),
        (18, ["NAME    WHY", "sales…  it did no…"]),
        (12, ["NAME", "sales-of-eu…"]),
        (3, ["NA…", "sa…"]),
    ],
)  # fmt: skip
def test_columns_fall_away_by_their_number_and_what_stays_is_cut(
    width: int, lines: list[str]
) -> None:
    text = table(WIDE, ROWS, Screen(width=width)).splitlines()
    assert [line.split() for line in text[:2]] == [line.split() for line in lines]
    assert len(text) == 3
    assert max(map(columns, text)) <= width


def test_a_column_has_the_width_that_a_terminal_gives_its_characters() -> None:
    assert columns("売上") == 4
    assert columns("e\N{COMBINING ACUTE ACCENT}") == 1
    lines = table((Column("NAME"), Column("PID")), [("売上", "1"), ("ab", "2")], PLAIN).splitlines()
    assert [columns(line) for line in lines[1:]] == [7, 7]
    assert shortened("売上売上", 5) == "売上…"
    assert shortened("売上売上", 4) == "売…"
    assert columns("❤\N{VARIATION SELECTOR-16}") == 1


def test_colours_are_there_only_where_they_are_understood() -> None:
    assert COLOUR.paint("x", "red") == "\x1b[31mx\x1b[0m"
    assert COLOUR.paint("x", None) == PLAIN.paint("x", "red") == "x"


def test_padding_is_not_coloured() -> None:
    text = table((Column("NAME"), Column("PID")), [(("a", "red"), "1")], COLOUR).splitlines()[1]
    assert text == "\x1b[31ma\x1b[0m     1"


@pytest.mark.parametrize(
    ("environ", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colours_can_be_forbidden_and_forced(
    environ: dict[str, str], terminal: bool, coloured: bool
) -> None:
    assert colours(environ, terminal=terminal) is coloured


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "a\rb", "a\x08b", "\x9b31m", "a\nb"])
def test_a_name_cannot_move_the_cursor(text: str) -> None:
    assert one_line(text).isprintable()
    assert "\x1b" not in block(text)


@pytest.mark.parametrize("hidden", "\u202e\u2066\u200e\u200b\u2028\ufeff\u00ad\U000e0041")
def test_what_hides_or_turns_round_is_seen(hidden: str) -> None:
    assert one_line(f"sales{hidden}gpj.exe") == "sales\ufffdgpj.exe"
    assert block(f"a{hidden}b\nc") == "a\ufffdb\nc"


def test_what_scripts_and_emoji_need_stays() -> None:
    assert (
        one_line("👩\u200d💻 \u0645\u06cc\u200c\u062e ❤\ufe0f")
        == "👩\u200d💻 \u0645\u06cc\u200c\u062e ❤\ufe0f"
    )


def test_a_traceback_keeps_its_lines() -> None:
    assert block("a\r\n\tb\x1b[2J") == "a\n\tb�[2J"


def test_the_colours_of_a_runner_stay_where_colours_are_shown_and_nothing_else_does() -> None:
    text = "\x1b[31mred\x1b[0m \x1b[2Jgone"
    assert visible(text, PLAIN) == "red gone"
    assert visible(text, COLOUR) == "\x1b[31mred\x1b[0m gone\x1b[0m"


@pytest.mark.parametrize(
    "dropped",
    ["\x1b[?25l", "\x1b[>4;2m", "\x1b]0;owned\x07", "\x1b]8;;http://x\x1b\\",
     "\x1bPq#0\x1b\\", "\x1b(B", "\x1b7"],
)  # fmt: skip
def test_other_escape_sequences_of_output_are_dropped_whole(dropped: str) -> None:
    assert visible(f"a{dropped}b", PLAIN) == "ab"
    assert visible(f"a{dropped}b", COLOUR) == "ab\x1b[0m"
    assert visible(f"\x1b{dropped}[31mb\x07\x9b2J\x1b[20", PLAIN) == "[31mb��2J"


def test_a_line_of_output_has_its_time_and_its_location() -> None:
    line: Any = {"at": 1700000000.25, "location": "sales", "text": "hello", "stream": "stdout"}
    assert output(line, PLAIN, "cyan").endswith(".250 sales | hello")
    assert "\x1b[36msales\x1b[0m | hello" in output(line, COLOUR, "cyan")


NO_LOAD = dict.fromkeys(("attempt", "by", "timing", "added", "changed", "removed"))


def test_an_event_says_what_a_load_took_and_who_asked_for_it() -> None:
    entry: Any = {"at": 0.0, "location": "sales", "event": "loaded", "before": "starting"}
    entry |= {**NO_LOAD, "after": "serving", "generation": 2, "detail": None, "by": "page"}
    entry |= {"timing": {"total": 0.25}, "added": 2, "changed": 0, "removed": 1}
    line = event(entry, PLAIN)
    assert line.endswith("starting → serving  (generation 2)  0.25 s +2 -1  by page")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("starting", "serving", "sales  loaded  starting → serving  why"),
        ("serving", "serving", "sales  loaded  serving  why"),
        (None, "stopped", "sales  loaded  stopped  why"),
    ],
)
def test_an_event_says_what_became_of_what(before: str | None, after: str, text: str) -> None:
    entry: Any = {
        "at": 0.0,
        "location": "sales",
        "event": "loaded",
        "before": before,
        "after": after,
    }
    entry |= {**NO_LOAD, "generation": None, "detail": "why"}
    assert event(entry, PLAIN).endswith(text)


def test_an_event_is_one_line_that_ends_where_the_screen_does() -> None:
    entry: Any = {
        "at": 0.0,
        "location": "売上",
        "event": "load-failed",
        "before": "a",
        "after": "failed",
    }
    entry |= {**NO_LOAD, "generation": 3, "detail": "ImportError: " + "x" * 200}
    for width in (10, 40, 60, 80, 200):
        line = event(entry, Screen(width=width))
        assert columns(line) <= width
    assert "(generation 3)" not in event(entry, Screen(width=80))
    assert "(generation 3)" in event(entry, Screen(width=200))
    assert "load-failed  a → failed  ImportError" in event(entry, Screen(width=80))
