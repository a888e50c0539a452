"""What one does on the page: reads output, selects a time, opens the graph, uses a small screen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ui.browser import NARROW, NEEDS_BROWSER, Shown
from tests.ui.conftest import ASSETS, ServedPage

pytestmark = NEEDS_BROWSER
PRINTS = 'for number in range(300):\n    print(f"row {number} read")\nprint("long " + "x" * 3000)\n'
MANY = """\
from codeloc import Definitions, asset

def made(number):
    group = "raw" if number < 40 else "mart"
    deps = [f"n{number - 1}"] if number else []
    @asset(key=[f"n{number}"], group=group, deps=deps)
    def one(): ...
    return one

defs = Definitions(assets=[made(number) for number in range(80)])
"""


@pytest.fixture
def shown(browser: Any, page: ServedPage) -> Iterator[Shown]:
    made = Shown(browser, page)
    yield made
    assert made.said == []
    made.close()


def save(page: ServedPage, text: str) -> None:
    """Returns when the location serves it."""
    before = page.daemon.entry("shop")["generation"]
    (page.daemon.project / "definitions.py").write_text(text)
    page.daemon.until("shop", lambda entry: entry["generation"] > before)


def test_output_is_filtered_found_again_by_its_time_and_shown_in_context(
    page: ServedPage, shown: Shown
) -> None:
    save(page, ASSETS + PRINTS)
    shown.go("#/output")
    lines = shown.tab.locator(".output .line .text")
    shown.tab.get_by_label("Filter lines").fill("/row 1[0-9]7 /")
    shown.tab.locator(".tools .meta", has_text="10 lines").wait_for()
    lines.filter(has_text="row 157").last.click()
    shown.tab.get_by_role("button", name="Copy 1 line").wait_for()
    assert "at=1" in shown.tab.url
    address = shown.tab.url
    shown.tab.get_by_role("button", name="In context").click()
    lines.filter(has_text="row 158 read").first.wait_for()
    shown.go("#/events")
    shown.tab.goto(address)
    shown.tab.locator(".output .line.chosen").first.wait_for()
    save(page, ASSETS)


def until_at_the_top(shown: Shown) -> None:
    """Browsers scroll by and by."""
    limit = time.monotonic() + 30
    while shown.tab.locator(".output").evaluate("element => element.scrollTop") != 0:
        assert time.monotonic() < limit, "the output does not reach its top"


def test_scrolled_up_the_output_stands_still_and_counts(page: ServedPage, shown: Shown) -> None:
    save(page, ASSETS + PRINTS)
    shown.go("#/output")
    shown.tab.locator(".output .line .text", has_text="long x").first.wait_for()
    shown.tab.locator(".output").focus()
    shown.tab.keyboard.press("Home")
    shown.tab.locator(".output .line .text", has_text="row 1 read").first.wait_for()
    until_at_the_top(shown)
    held = shown.tab.locator(".output .line").all_inner_texts()
    save(page, ASSETS + PRINTS + "print('again')\n")
    shown.tab.locator(".new-lines").wait_for()
    assert shown.tab.locator(".output .line").all_inner_texts() == held
    shown.tab.get_by_role("button", name="Wrap").click()
    shown.tab.locator(".new-lines").click()
    shown.tab.locator(".output.wraps .line .text", has_text="more characters").first.wait_for()
    save(page, ASSETS)


def test_older_lines_come_from_the_log_and_a_moment_long_past_is_found(
    page: ServedPage, shown: Shown
) -> None:
    """The page begins with the last 1,000 lines."""
    many = 'for number in range(2500):\n    print(f"early {number} row")\n'
    save(page, ASSETS + many)
    lines = page.ask("logs", lines=1, contains="early 7 row")["lines"]
    shown.go("#/output")
    texts = shown.tab.locator(".output .line .text")
    texts.filter(has_text="early 2499 row").first.wait_for()
    shown.tab.get_by_label("Filter lines").fill("early 17 row")
    shown.until("No line fits that filter.")
    shown.tab.get_by_role("button", name="Older").click()
    texts.filter(has_text="early 17 row").first.wait_for()
    shown.tab.get_by_label("Filter lines").fill("")
    texts.filter(has_text="early 2499 row").first.wait_for()
    shown.tab.locator(".output").focus()
    shown.tab.keyboard.press("Home")
    until_at_the_top(shown)
    shown.tab.keyboard.press("Home")
    texts.filter(has_text="early 1499 row").first.wait_for()  # as before, with others above it
    shown.tab.keyboard.press("Home")
    until_at_the_top(shown)
    early = re.compile(r"early \d{1,3} row|row \d+ read|^long|^again")
    texts.filter(has_text=early).first.wait_for()
    shown.go("#/events")
    shown.tab.goto(f"{page.url}#/output?at={lines[0]['at']}")
    shown.tab.locator(".output .line.chosen").first.wait_for()
    save(page, ASSETS)


def test_definitions_are_found_by_owner_and_tag(page: ServedPage, shown: Shown) -> None:
    owned = '@asset(group="raw", kinds={"csv"}, owners=["team:ads"], tags={"tier": "1"})'
    save(page, ASSETS.replace('@asset(group="raw", kinds={"csv"})', owned))
    shown.go("#/definitions?q=owner:ads")
    shown.until("1 of 2 definitions")
    shown.tab.get_by_label("Filter definitions").fill("tag:tier=1 orders")
    shown.until("1 of 2 definitions")
    shown.tab.keyboard.press("Control+k")
    shown.tab.get_by_role("combobox", name="Search").fill("owner:team:ads")
    shown.tab.get_by_role("option", name="orders asset in shop").wait_for()
    assert shown.tab.get_by_role("option").count() == 1
    shown.tab.keyboard.press("Enter")
    shown.tab.get_by_role("link", name="tier=1").click()
    shown.tab.get_by_label("Filter definitions").wait_for()
    assert shown.tab.get_by_label("Filter definitions").input_value() == "tag:tier=1"
    save(page, ASSETS)


def test_a_part_of_the_last_hour_is_selected_by_dragging(shown: Shown) -> None:
    shown.go("#/events")
    shown.tab.locator(".story").first.wait_for()
    box = shown.tab.locator(".strip").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    shown.tab.mouse.move(box["x"] + 10, middle)
    shown.tab.mouse.down()
    shown.tab.mouse.move(box["x"] + 200, middle, steps=4)
    shown.tab.mouse.up()
    shown.until("Nothing happened.")
    assert "span=" in shown.tab.url
    shown.tab.locator(".row .button", has_text="×").click()
    shown.tab.locator(".story .open").first.click()
    shown.tab.locator(".story .entries li").first.wait_for()


def test_groups_of_the_graph_unfold_and_what_is_chosen_stands_in_the_address(
    page: ServedPage, shown: Shown
) -> None:
    save(page, MANY)
    shown.go("#/graph")
    shown.tab.locator(".asset.folded", has_text="40 assets").first.wait_for()
    shown.tab.locator(".asset.folded", has_text="raw").click()
    shown.tab.get_by_label("Find an asset").fill("n7")
    shown.tab.keyboard.press("Enter")
    shown.tab.locator(".chosen-name", has_text="n7").wait_for()
    assert "/shop/n7" in shown.tab.url
    shown.tab.locator(".outline .link-button", has_text="n8").click()
    shown.tab.locator(".chosen-name", has_text="n8").wait_for()
    shown.tab.locator(".asset.chosen", has_text="n8").wait_for()
    save(page, ASSETS)


def test_a_narrow_screen_has_all_pages_and_locations(browser: Any, page: ServedPage) -> None:
    shown = Shown(browser, page, size=NARROW)
    shown.tab.locator(".bottombar").get_by_text("Graph").click()
    shown.tab.locator(".outline .branch").first.click()
    shown.tab.locator(".outline").get_by_text("paid").click()
    shown.until("Made from")
    shown.tab.get_by_role("button", name="All").click()
    shown.tab.get_by_role("dialog").get_by_text("shop", exact=True).last.click()
    shown.tab.get_by_role("dialog").wait_for(state="detached")
    shown.tab.locator("h1", has_text="shop").wait_for()
    width = "document.documentElement.scrollWidth <= innerWidth"
    assert shown.tab.evaluate(width)
    assert shown.said == []
    shown.close()
