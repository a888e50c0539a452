"""Lines that are written over and over, below those that stay."""

from __future__ import annotations

from codelocd.cli.output import LiveBlock
from codelocd.render.text import Screen

SMALL = Screen(width=20, height=5)


def test_what_is_under_way_is_written_over_below_the_lines_that_stay() -> None:
    block = LiveBlock()
    assert block.frame(["config: x"], [], SMALL) == "config: x"
    assert block.frame([], ["sales building"], SMALL) == "sales building"
    assert block.frame([], ["sales building"], SMALL) == ""
    up = "\x1b[1A\r\x1b[J"
    assert block.frame([], ["sales starting", "web building"], SMALL) == (
        f"{up}sales starting\nweb building"
    )
    up = "\x1b[2A\r\x1b[J"
    assert block.frame(["sales serving"], ["web building"], SMALL) == (
        f"{up}sales serving\nweb building"
    )
    up = "\x1b[1A\r\x1b[J"
    assert block.frame(["web serving"], [], SMALL) == f"{up}web serving"
    assert block.frame(["the end"], [], SMALL) == "the end"


def test_no_line_wraps_and_no_more_are_shown_than_there_is_room_for() -> None:
    lines = LiveBlock().frame([], [f"{n} {'売' * 20}" for n in range(9)], SMALL).split("\n")
    assert lines == ["0 売売売売売売売売…", "1 売売売売売売売売…", "and 7 more"]


def test_a_block_that_has_nothing_left_goes_with_the_next_line() -> None:
    block = LiveBlock()
    block.frame([], ["sales building"], SMALL)
    assert block.frame([], [], SMALL) == ""
    assert block.frame(["sales | hello"], [], SMALL) == "\x1b[1A\r\x1b[Jsales | hello"
