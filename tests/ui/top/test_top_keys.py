"""Keys, clicks and pastes in the terminal view as Textual passes them on, with no daemon there."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from codelocd_top import view
from codelocd_top.model import Printed, PrintedLine
from codelocd_top.screen import TopApp, TopFacts
from codelocd_top.widgets import Bar, ScrolledLines
from textual.pilot import Pilot

from tests.ui.top.test_top_model import location, stale, stopped, told

DEADLINE = 60.0
LINK = "http://127.0.0.1:4300/#token"


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


def app_of(folder: Path, **environ: str) -> TopApp:
    link = [sys.executable, "-c", f"print({LINK!r})"]
    return TopApp(TopFacts(folder / "absent.sock", "shop", foreign=False, link=link), environ)


@pytest.fixture
async def pilot(tmp_path: Path) -> AsyncIterator[Pilot[None]]:
    """A view of three locations, on a terminal of 100 columns and 30 lines."""
    async with app_of(tmp_path).run_test(size=(100, 30)) as found:
        app = top(found)
        await until(lambda: app.model.lost is not None)  # no daemon is there
        app.take(told(location("billing"), stale("sales"), stopped("ads"), at=time.time()))
        await until(lambda: bool(rows(app).lines))
        yield found


def top(pilot: Pilot[None]) -> TopApp:
    assert isinstance(pilot.app, TopApp)
    return pilot.app


def rows(app: TopApp) -> ScrolledLines:
    found: ScrolledLines = app.query_one("#rows", ScrolledLines)
    return found


def pane(app: TopApp) -> ScrolledLines:
    found: ScrolledLines = app.query_one("#pane", ScrolledLines)
    return found


def bar(app: TopApp, name: str) -> str:
    text: str = app.query_one(f"#{name}", Bar).text
    return text


async def test_the_cursor_is_moved_by_keys_and_by_a_click(pilot: Pilot[None]) -> None:
    app = top(pilot)
    assert rows(app).cursor == 0
    await pilot.press("down", "j")
    assert (app.model.selected, rows(app).cursor) == ("billing", 2)
    await pilot.click("#rows", offset=(5, 1))
    assert app.model.selected == "ads"
    assert "ads" in bar(app, "tabs")


async def test_a_click_on_a_title_sorts_and_one_on_a_tab_shows_its_pane(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.click("#head", offset=(view.SGR.sub("", bar(app, "head")).index("MEM"), 0))
    assert app.model.sort == "mem"
    assert "MEM ▾" in bar(app, "head")
    await pilot.click("#tabs", offset=(view.SGR.sub("", bar(app, "tabs")).index("[t]iming"), 0))
    assert app.model.pane == "timing"
    await pilot.click("#last", offset=(bar(app, "last").index("? keys"), 0))
    assert app.model.mode == "keys"


async def test_tab_escape_and_enter_reach_the_model(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.press("tab")
    assert app.model.pane == "output"
    await pilot.press("enter")
    await until(lambda: pane(app).size.height == 27)
    assert not rows(app).display
    await pilot.press("escape")
    await until(lambda: pane(app).size.height < 27)


async def test_the_filter_takes_letters_and_what_is_pasted(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.press("slash", "b", "i")
    assert bar(app, "last").startswith(" /bi█")
    await until(lambda: len(rows(app).lines) == 1)
    await pilot.press("escape")
    assert app.model.wanted == ""


async def test_output_follows_at_its_end_and_stands_still_scrolled_up(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.press("o")
    lines = tuple(PrintedLine(time.time(), f"line {number}") for number in range(100))
    app.take(Printed("sales", lines, first=True))
    await until(lambda: len(pane(app).lines) == 100 and pane(app).is_at_end)
    await pilot.press("shift+up", "shift+up")
    await until(lambda: not pane(app).is_at_end)
    top_line = pane(app).scroll_y
    app.take(Printed("sales", lines))
    await until(lambda: "100 new" in bar(app, "tabs"))
    assert (len(pane(app).lines), pane(app).scroll_y) == (100, top_line)
    await pilot.press("enter", "end")
    await until(lambda: len(pane(app).lines) == 200 and pane(app).is_at_end)


async def test_an_order_without_a_daemon_is_refused_in_a_word(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await until(lambda: app.model.lost is not None)
    await pilot.press("r")
    assert "the daemon does not answer" in bar(app, "last")


async def test_the_link_of_the_page_is_shown(pilot: Pilot[None]) -> None:
    app = top(pilot)
    await pilot.press("w")
    await until(lambda: bar(app, "last") == f" {LINK}")


@pytest.mark.parametrize(("keys", "code"), [(["q"], 0), (["ctrl+c"], 130), (["ctrl+q"], 0)])
async def test_it_ends_with_its_exit_code(tmp_path: Path, keys: list[str], code: int) -> None:
    async with app_of(tmp_path).run_test() as pilot:
        await pilot.press(*keys)
    assert pilot.app.return_code == code


async def test_a_fault_of_ours_ends_it_and_is_kept_to_be_told(tmp_path: Path) -> None:
    async with app_of(tmp_path).run_test() as pilot:
        app = top(pilot)
        app.take("no event")  # type: ignore[arg-type]
        await until(lambda: app.return_code is not None)
    assert isinstance(app.broken, TypeError)
    assert app.return_code == 1


async def test_no_colour_leaves_no_colour(tmp_path: Path) -> None:
    for environ, coloured in (({"NO_COLOR": "1"}, False), ({}, True)):
        async with app_of(tmp_path, **environ).run_test(size=(100, 30)) as pilot:
            app = top(pilot)
            app.take(told(stale("sales"), at=time.time()))
            await until(lambda app=app: bool(rows(app).lines))  # type: ignore[misc]
            assert ("\x1b" in rows(app).lines[0]) == coloured
