"""What the terminal view becomes by what happens, without a terminal."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from codelocd_top import panes, view
from codelocd_top.changes import step
from codelocd_top.feed import LineBatch
from codelocd_top.levels import sparkline
from codelocd_top.model import (
    ENTRIES,
    FROZEN,
    LINE_LENGTH,
    LINES,
    LOADS,
    SAID,
    Act,
    Clicked,
    Done,
    Granted,
    Happened,
    Lost,
    Past,
    Pressed,
    Printed,
    PrintedLine,
    Quit,
    Recalled,
    Resized,
    Said,
    Scroll,
    ShowLink,
    Suspend,
    Ticked,
    TitleClicked,
    Told,
    TopModel,
)

from codelocd.client.follow import KnownState
from codelocd.render.text import Screen, columns
from tests.supervisor.cli.fake_control import DAEMON, LOCATION, PROBLEM

if TYPE_CHECKING:
    from codelocd_top.model import Event, Order

PLAIN, COLOURED = Screen(), Screen(colour=True)
NOW = 1_700_000_100.0
TIMING = {
    "event": 0.001, "decision": 0.002, "start": 0.01, "import": 0.02, "snapshot": 0.003,
    "publish": 0.001, "total": 0.037,
}  # fmt: skip


def location(name: str, **more: Any) -> Any:
    return {**LOCATION, "name": name, **more}


def stale(name: str, **more: Any) -> Any:
    return location(name, stale=True, problem={**PROBLEM, **more})


def stopped(name: str) -> Any:
    return location(name, state="stopped", wanted=False, uptime=None, memory=None, cpu=None)


def told(*locations: Any, at: float = NOW) -> Told:
    return Told(at, DAEMON, MappingProxyType({each["name"]: each for each in locations}))


def entry(name: str | None, event: str = "loaded", **more: Any) -> Any:
    known = dict.fromkeys(("before", "after", "generation", "detail", "attempt", "by", "timing"))
    return {"seq": 1, "at": NOW, "location": name, "event": event, **known,
            "added": None, "changed": None, "removed": None, **more}  # fmt: skip


def after(model: TopModel, *events: Event) -> TopModel:
    for event in events:
        model, orders = step(model, event)
        assert not orders
    return model


def pressed(model: TopModel, *keys: str) -> tuple[TopModel, tuple[Order, ...]]:
    """After these keys; the orders of the last one."""
    orders: tuple[Order, ...] = ()
    for key in keys:
        model, orders = step(model, Pressed(key, key if len(key) == 1 else None))
    return model, orders


def shown(model: TopModel) -> list[str]:
    return [line.rstrip() for line in view.head_and_rows(model, PLAIN)[1]]


THREE = (location("billing"), stale("sales"), stopped("ads"))


@pytest.fixture
def model() -> TopModel:
    started = TopModel(name="shop", now=NOW, width=120, height=30)
    return after(started, told(*THREE))


def test_problems_come_first_and_the_cursor_is_on_the_first_of_them(model: TopModel) -> None:
    assert model.order == ("sales", "ads", "billing")
    assert model.selected == "sales"
    assert "◆ sales" in shown(model)[0]
    assert "serving last good" in shown(model)[0]


def test_while_the_cursor_moves_no_row_moves(model: TopModel) -> None:
    moved, _ = pressed(model, "j")
    broken = after(moved, told(*THREE[1:], location("billing", state="failed", problem=PROBLEM)))
    assert broken.order == ("sales", "ads", "billing")
    still = after(broken, Ticked(NOW + FROZEN / 2))
    assert still.order == ("sales", "ads", "billing")
    rested = after(still, Ticked(NOW + FROZEN + 0.1))
    assert rested.order == ("billing", "sales", "ads")
    assert rested.selected == "ads"


def test_a_new_location_comes_at_the_end_while_the_cursor_moves_and_a_gone_one_goes(
    model: TopModel,
) -> None:
    moved, _ = pressed(model, "k")
    changed = after(moved, told(THREE[0], THREE[2], location("extra", state="failed")))
    assert changed.order == ("ads", "billing", "extra")
    assert changed.selected == "ads"


def test_the_cursor_stays_on_its_location_whatever_the_order_becomes(model: TopModel) -> None:
    moved, _ = pressed(model, "G")
    assert moved.selected == "billing"
    later = after(
        moved, Ticked(NOW + FROZEN + 1), told(location("billing", state="failed"), *THREE[1:])
    )
    assert later.order[0] == "billing"
    assert later.selected == "billing"


@pytest.mark.parametrize(
    ("key", "selected"),
    [("down", "ads"), ("j", "ads"), ("end", "billing"), ("G", "billing"), ("pagedown", "billing"),
     ("up", "sales"), ("home", "sales"), ("pageup", "sales")],
)  # fmt: skip
def test_keys_move_the_cursor_and_stop_at_the_ends(
    model: TopModel, key: str, selected: str
) -> None:
    assert pressed(model, key)[0].selected == selected


def test_what_was_told_of_one_location_is_not_shown_of_another(model: TopModel) -> None:
    line = PrintedLine(NOW, "of sales")
    full = after(model, Printed("sales", (line,), first=True), Past("sales", (entry("sales"),)))
    assert full.printed == (line,)
    other, _ = pressed(full, "j")
    assert (other.printed, other.past) == ((), ())
    assert after(other, Printed("sales", (line,)), Past("sales", (entry("sales"),))) == other


def test_reload_is_ordered_at_once_while_restart_and_stop_ask_first(model: TopModel) -> None:
    assert pressed(model, "r")[1] == (Act("reload", "sales"),)
    asking, orders = pressed(model, "R")
    assert (asking.mode, orders) == ("question", ())
    assert view.last_line(asking, PLAIN).startswith(" restart sales?  y/n")
    assert pressed(asking, "y")[1] == (Act("restart", "sales"),)
    assert pressed(model, "s", "y")[1] == (Act("stop", "sales"),)
    assert pressed(model, "j", "s", "y")[1] == (Act("start", "ads"),)


@pytest.mark.parametrize("key", ["n", "enter", "escape", "q", "j", "r"])
def test_any_other_answer_than_y_does_nothing(model: TopModel, key: str) -> None:
    answered, orders = pressed(model, "s", key)
    assert orders == ()
    assert (answered.mode, answered.selected) == ("table", "sales")
    assert "nothing was done" in view.last_line(answered, PLAIN)


def test_nothing_is_ordered_of_what_another_program_runs_or_while_the_daemon_is_gone(
    model: TopModel,
) -> None:
    external = after(model, told(location("far", state="external", wanted=None)))
    for key in "rRs":
        refused, orders = pressed(external, key)
        assert orders == ()
        assert "another program runs this location" in view.last_line(refused, PLAIN)
    reader, orders = pressed(after(model, Granted(orders=False)), "r")
    assert orders == ()
    assert "you may only look" in view.last_line(reader, PLAIN)
    gone = after(model, Lost(NOW, "it ended"))
    assert pressed(gone, "s", "y")[1] == ()


def test_the_outcome_of_an_order_is_said_and_goes_after_a_while(model: TopModel) -> None:
    outcome: Any = {"name": "sales", "ok": False, "superseded": None, "state": "failed",
                    "problem": PROBLEM, "note": None}  # fmt: skip
    done = after(model, Done("start", outcome))
    assert view.last_line(done, PLAIN).startswith(" start: sales failed: load: SyntaxError")
    assert after(done, Ticked(NOW + SAID + 1)).said is None
    link = after(model, Said("http://127.0.0.1:4300/#a", stays=True), Ticked(NOW + SAID + 1))
    assert "4300" in view.last_line(link, PLAIN)
    assert pressed(link, "j")[0].said is None


def test_the_filter_finds_names_states_and_problems_and_escape_shows_all(model: TopModel) -> None:
    typed, _ = pressed(model, "/", *"bill", "backspace")
    assert (typed.mode, typed.wanted, typed.order) == ("filter", "bil", ("billing",))
    assert typed.selected == "billing"
    kept, _ = pressed(typed, "enter")
    assert kept.mode == "table"
    assert "filter: bil" in view.last_line(kept, PLAIN)
    assert pressed(kept, "escape")[0].order == model.order
    assert pressed(model, "/", *"last GOOD")[0].order == ("sales",)
    assert pressed(model, "/", *"syntax")[0].order == ("sales",)
    nothing, _ = pressed(model, "/", *"zz")
    assert (nothing.order, nothing.selected) == ((), None)
    assert "fits the filter" in panes.lines(nothing, PLAIN)[0]
    assert pressed(nothing, "ctrl+u")[0].selected == "sales"


def test_letters_are_text_while_the_filter_is_typed(model: TopModel) -> None:
    typed, orders = pressed(model, "/", "q", "s", "[", "r")
    assert (typed.wanted, orders) == ("qs[r", ())


def test_sorting_goes_from_column_to_column_and_back_to_trouble() -> None:
    used = (("b", 5, None), ("a", 10, 0.1), ("c", None, 0.5))
    sized = [location(name, memory=memory, cpu=cpu) for name, memory, cpu in used]
    model = after(TopModel(now=NOW, width=120), told(*sized))
    orders = {}
    for _ in range(8):
        orders[model.sort] = "".join(model.order)
        model, _ = pressed(model, ">")
    assert model.sort == "trouble"
    assert orders["name"] == "abc"
    assert orders["mem"] == "abc"
    assert orders["cpu"] == "cab"
    assert pressed(model, "<")[0].sort == "up"
    assert after(model, TitleClicked("CPU")).sort == "cpu"
    assert after(model, TitleClicked("CPU"), TitleClicked("CPU ▾")).sort == "trouble"


def test_a_click_selects_and_a_second_one_opens_the_pane(model: TopModel) -> None:
    assert after(model, Clicked("billing")).selected == "billing"
    assert after(model, Clicked("billing", twice=True)).whole_pane
    assert after(model, Clicked("gone")) == model


def test_panes_are_chosen_by_their_letters_and_by_tab(model: TopModel) -> None:
    assert [pressed(model, key)[0].pane for key in "poet"] == [
        "problem",
        "output",
        "events",
        "timing",
    ]
    assert pressed(model, "tab")[0].pane == "output"
    assert pressed(model, "shift+tab")[0].pane == "timing"


def test_enter_opens_the_pane_in_full_where_keys_scroll_and_escape_closes_it(
    model: TopModel,
) -> None:
    full, _ = pressed(model, "enter")
    assert view.heights(full) == view.Heights(0, 27)
    for key, scrolls in (("j", "down"), ("pagedown", "pagedown"), ("G", "end"), ("right", "right")):
        same, orders = pressed(full, key)
        assert (same.selected, orders) == ("sales", (Scroll(scrolls),))
    assert not pressed(full, "escape")[0].whole_pane
    assert pressed(model, "shift+down")[1] == (Scroll("down"),)


def test_keys_are_listed_and_any_key_closes_the_list(model: TopModel) -> None:
    listed, _ = pressed(model, "?")
    assert any("restart" in line for line in panes.lines(listed, PLAIN))
    assert pressed(listed, "q") == (model, ())


def test_q_ends_with_0_and_ctrl_c_as_a_shell_has_it_in_any_mode(model: TopModel) -> None:
    assert pressed(model, "q")[1] == (Quit(0),)
    for keys in ((), ("/",), ("s",), ("?",)):
        assert pressed(model, *keys, "ctrl+c")[1] == (Quit(130),)
    assert pressed(model, "ctrl+z")[1] == (Suspend(),)
    assert pressed(model, "w")[1] == (ShowLink(),)


def test_a_bar_says_since_when_the_daemon_is_gone_until_it_is_back(model: TopModel) -> None:
    gone = after(model, Lost(NOW, "connection closed"), Lost(NOW + 9, "no socket\nthere"))
    assert gone.lost == Lost(NOW, "no socket\nthere")
    bar = view.title(gone, PLAIN)
    assert "no answer from shop since" in bar
    assert "no socket there" in bar
    assert len(shown(gone)) == 3
    assert after(gone, told(*THREE)).lost is None


def test_the_last_loads_are_drawn_and_a_new_one_is_added(model: TopModel) -> None:
    slow = {**TIMING, "event": None, "total": 0.37}
    known = after(model, Recalled((entry("sales", timing=slow), entry("sales", "launched"))))
    assert (known.loads, known.newest_save) == ({"sales": (0.37,)}, None)
    saved = after(known, Happened(entry("sales", timing=TIMING)))
    assert saved.loads["sales"] == (0.37, 0.037)
    assert "37ms  █▂" in shown(saved)[0]
    assert "save 37ms" in view.title(saved, PLAIN)
    many = after(saved, *[Happened(entry("sales", timing=TIMING))] * 30)
    assert len(many.loads["sales"]) == LOADS
    assert after(many, Recalled(())).loads == {}
    assert "50ms" in shown(model)[0], "where no journal tells, it is what the status says"


def test_a_sparkline_reaches_from_nothing_to_the_largest() -> None:
    assert sparkline([0, 1, 2, 4]) == "▁▃▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""


def test_uptime_goes_on_without_news(model: TopModel) -> None:
    assert " 1m " in shown(model)[0]
    assert " 3m " in shown(after(model, Ticked(NOW + 120)))[0]


def test_a_sample_changes_what_is_used_and_not_since_when_a_location_is_up() -> None:
    known = KnownState()
    known.replace({"full": True, "missed": False, "schema": 1, "daemon": DAEMON,
                   "locations": [location("sales")]})  # fmt: skip
    before = after(TopModel(now=NOW), told(*known.locations.values()))
    known.sample({"at": NOW + 60, "locations": {"sales": [1024, 0.5], "gone": [1, 0.1]}})
    later = after(before, told(*known.locations.values(), at=NOW + 60))
    assert later.started == before.started
    assert "1.0 KiB  50%" in shown(later)[0]
    assert "30 MiB  30%" in shown(before)[0]
    known.sample({"at": NOW + 65, "locations": {"sales": None}})
    assert known.locations["sales"]["memory"] is None


def test_a_batch_has_each_line_once_and_counts_those_that_never_came() -> None:
    batch = LineBatch("sales")
    batch.seen = 5
    block = {"location": "sales", "at": NOW, "stream": "stdout", "generation": 1}
    batch.add({**block, "seq": 4, "texts": ["4", "5", "6"]})
    batch.add({**block, "location": "other", "seq": 1, "texts": ["x"]})
    batch.add({**block, "seq": 9, "text": "9" * (2 * LINE_LENGTH)})
    printed = batch.take()
    assert printed is not None
    assert [line.text[:2] for line in printed.lines] == ["6", "99"]
    assert len(printed.lines[1].text) == LINE_LENGTH + 1
    assert printed.skipped == 2
    assert batch.take() is None
    batch.add({**block, "seq": 10, "texts": ["x"] * (3 * LINES)})
    flood = batch.take()
    assert flood is not None
    assert (len(flood.lines), flood.skipped) == (LINES, 2 * LINES)


def test_lines_and_entries_that_are_kept_are_bounded_and_skipped_ones_are_counted(
    model: TopModel,
) -> None:
    lines = tuple(PrintedLine(NOW, f"{number}") for number in range(LINES))
    full = after(model, Printed("sales", lines), Printed("sales", lines, skipped=7))
    assert (len(full.printed), full.count, full.skipped) == (LINES, 2 * LINES + 7, 7)
    assert "7 skipped" in view.pane_title(replace(full, pane="output"), 0, PLAIN)
    assert "3 new" in view.pane_title(replace(full, pane="output"), 3, PLAIN)
    events = after(model, *[Happened(entry("sales"))] * (ENTRIES + 5))
    assert len(events.past) == ENTRIES


def test_the_problem_comes_with_the_line_at_fault_and_what_to_do() -> None:
    frames = [{"file": "/shop/defs.py", "line": 2, "column": None, "function": "load", "own": True,
               "code": [[1, "import os"], [2, "\tx = 1 / 0\x1b[2J"]]}]  # fmt: skip
    problem = {"summary": "ZeroDivisionError; divide by another", "remedy": "divide by another"}
    model = after(TopModel(now=NOW), told(stale("sales", frames=frames, **problem)))
    text = "\n".join(panes.lines(model, PLAIN))
    assert "▶    2 │     x = 1 / 0�[2J" in text
    assert "try  divide by another" in text
    assert text.count("divide by another") == 1
    assert "Traceback" in text


def test_the_timing_pane_draws_the_newest_load_and_lists_those_before(model: TopModel) -> None:
    timed, _ = pressed(model, "t")
    assert "no load" in panes.lines(timed, PLAIN)[0]
    past = (entry("sales", timing={**TIMING, "total": 9.0}), entry("sales", timing=TIMING))
    lines = panes.lines(after(timed, Past("sales", past)), PLAIN)
    assert "0.04 s" in lines[0]
    assert any(line.startswith("  import        20ms  ████") for line in lines)
    assert "9.00 s" in lines[-1]


@pytest.mark.parametrize(
    "hostile", ["\x1b]0;owned\x07", "\x1b[2J", "a\nb", "\u202eevil", "[bold]x[/]"]
)
def test_names_problems_and_output_are_text(hostile: str) -> None:
    model = after(
        TopModel(now=NOW, name=hostile, width=200),
        told(stale(hostile, summary=hostile, detail=hostile, remedy=hostile)),
        Printed(hostile, (PrintedLine(NOW, hostile),), first=True),
        Past(hostile, (entry(hostile, hostile, detail=hostile, by=hostile, timing=TIMING),)),
        Said(hostile),
    )
    parts: list[str] = []
    for pane in "poet":
        model = pressed(model, pane)[0]
        parts = [*view.head_and_rows(model, PLAIN)[1], *panes.lines(model, PLAIN),
                 view.title(model, PLAIN), view.pane_title(model, 0, PLAIN)]  # fmt: skip
        for mode in ("table", "question", "filter"):
            asking = replace(model, mode=mode, wanted=hostile)
            parts.append(view.last_line(asking, PLAIN))
        parts.append(view.title(after(model, Lost(NOW, hostile)), PLAIN))
        for part in parts:
            assert part.isprintable(), ascii(part)
    assert any("[bold]x[/]" in part for part in parts) or hostile != "[bold]x[/]"


def test_colours_of_output_stay_and_no_other_escape_code_does(model: TopModel) -> None:
    line = PrintedLine(NOW, "\x1b[31mred\x1b[0m \x1b[2J\x1b]8;;http://x\x07")
    output, _ = pressed(after(model, Printed("sales", (line,), first=True)), "o")
    shown_line = panes.lines(output, COLOURED)[0]
    assert "\x1b[31mred\x1b[0m" in shown_line
    assert "\x1b[2J" not in shown_line
    assert "\x1b]" not in shown_line
    assert "\x1b" not in panes.lines(output, PLAIN)[0]


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_columns_fall_away_from_the_right_and_no_line_is_too_long(width: int) -> None:
    long = "SyntaxError: " + "a long story " * 20
    locations = [stale("a_location_with_a_long_name", summary=long), location("売上の場所")]
    history = Recalled(tuple(entry("売上の場所", timing=TIMING) for _ in range(LOADS)))
    model = after(TopModel(now=NOW, width=width), told(*locations), history)
    head, lines = view.head_and_rows(model, PLAIN)
    kept = {40: ["NAME", "STATE"], 80: ["NAME", "STATE", "DEFS", "RELOAD"]}.get(width, [])
    titles = [title for title in ("NAME", "STATE", "DEFS", "RELOAD", "LAST 20", "MEM", "CPU", "UP")
              if title in head]  # fmt: skip
    assert titles[: len(kept)] == kept
    all_titles = ["NAME", "STATE", "DEFS", "RELOAD", "LAST 20", "MEM", "CPU", "UP"]
    assert titles == all_titles[: len(titles)]
    assert "PROBLEM" in head
    for line in (head, *lines, view.title(model, PLAIN), view.last_line(model, PLAIN)):
        assert columns(line) <= width, line


@pytest.mark.parametrize(("height", "pane"), [(5, False), (19, False), (20, True), (24, True)])
def test_below_twenty_lines_there_is_no_pane_and_the_parts_fill_the_screen(
    model: TopModel, height: int, pane: bool
) -> None:
    found = view.heights(after(model, Resized(80, height)))
    assert bool(found.pane) == pane
    assert found.rows + found.pane + (4 if pane else 3) == height


def test_a_click_on_a_hint_or_a_tab_is_its_key(model: TopModel) -> None:
    hints, tabs = view.last_line(model, PLAIN), view.pane_title(model, 0, COLOURED)
    assert view.key_of(view.word_at(hints, hints.index("restart"))) == "R"
    plain = view.pane_title(replace(model, pane="timing"), 0, COLOURED)
    assert view.key_of(view.word_at(plain, plain.index("[o]utput") + 2)) == "o"
    assert view.word_at(tabs, 500) == ""
