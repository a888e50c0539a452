"""The page in a real browser: Debian's or another Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.daemons import Dev
from tests.ui.browser import NEEDS_BROWSER, PATIENCE, Shown
from tests.ui.conftest import ASSETS, ServedPage, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = NEEDS_BROWSER

PAGES = {
    "#/": "Everything is serving",
    "#/location/shop": "shop",
    "#/location/shop/definitions": "paid",
    "#/location/shop/environment": "Working directory",
    "#/location/shop/timing": "reload",
    "#/definition/shop/asset/paid": "Made from",
    "#/definitions": "orders",
    "#/graph": "1 location, 2 assets, 1 edge",
    "#/output": "Follow",
    "#/events": "serves",
    "#/environments": "Environments",
}
HOSTILE = "<img src=x onerror=\"document.title='owned'\">\\u202e\\x1b]8;;javascript:alert(1)\\x07"


@pytest.fixture
def shown(browser: Browser, page: ServedPage) -> Iterator[Shown]:
    made = Shown(browser, page)
    yield made
    made.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_shown_and_the_browser_has_nothing_to_say(
    browser: Browser, page: ServedPage, scheme: str
) -> None:
    made = Shown(browser, page, scheme)
    for address, text in PAGES.items():
        made.go(address)
        made.until(text)
    assert made.said == []
    assert [each for each in made.asked if not each.startswith((page.url, "data:"))] == []
    made.close()


def test_a_broken_save_shows_the_users_line_and_a_repair_takes_it_away(
    page: ServedPage, shown: Shown
) -> None:
    source = page.daemon.project / "definitions.py"
    source.write_text(ASSETS.replace("def paid(): ...", "def paid(: ..."))
    shown.until("1 location needs attention")
    shown.until("SyntaxError")
    assert "def paid(: ..." in shown.tab.locator(".code .at.hit").first.inner_text()
    source.write_text(ASSETS)
    shown.until("Everything is serving")


def test_what_a_save_changed_is_shown(page: ServedPage, shown: Shown) -> None:
    source = page.daemon.project / "definitions.py"
    more = ASSETS.replace("defs =", "@asset\ndef newcomer(): ...\n\ndefs =")
    source.write_text(more.replace("[orders, paid]", "[orders, paid, newcomer]"))
    shown.tab.locator(".delta.add", has_text="newcomer").wait_for()
    source.write_text(ASSETS)
    shown.tab.locator(".delta.remove", has_text="newcomer").wait_for()


def test_a_location_is_stopped_after_a_question_and_started_again(shown: Shown) -> None:
    shown.go("#/location/shop")
    shown.tab.locator("[data-order=stop]").click()
    shown.until("It stays stopped until started")
    shown.tab.locator(".ask .danger").click()
    shown.tab.locator("[data-order=start]").click()
    shown.tab.locator("[data-order=reload]").wait_for()


def test_what_code_prints_is_text(page: ServedPage, shown: Shown) -> None:
    source = page.daemon.project / "definitions.py"
    shown.go("#/output")
    source.write_text(f'print("""{HOSTILE}said""")\n{ASSETS}')
    line = shown.tab.locator(".output .line .text", has_text="said").first
    line.wait_for()
    assert line.inner_text().startswith("<img src=x onerror=")
    assert "\\u202e" in line.inner_text()
    assert "owned" not in shown.tab.title()
    source.write_text(ASSETS)
    assert shown.said == []


def test_a_wrong_link_asks_for_the_right_one(browser: Browser, page: ServedPage) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{page.url}#{'x' * 32}")
    tab.get_by_text("this link is not valid here").wait_for()
    tab.get_by_label("Or paste the link here").fill(f"{page.url}#{page.token}")
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_text("Locations").first.wait_for()
    context.close()


def test_keys_lead_from_page_to_page(shown: Shown) -> None:
    shown.tab.keyboard.press("g")
    shown.tab.keyboard.press("d")
    shown.tab.get_by_label("Filter definitions").wait_for()
    shown.tab.keyboard.press("Control+k")
    shown.tab.get_by_role("combobox", name="Search").fill("paid")
    shown.tab.keyboard.press("Enter")
    shown.until("Made from")


def test_the_page_says_when_nothing_answers_and_comes_back_by_itself(
    browser: Browser, daemon: Dev, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("secret")
    served = serve(daemon, folder)
    made = Shown(browser, served)
    served.process.kill()
    served.end()
    made.until("What you see is as of then")
    again = serve(daemon, folder, "--port", served.host.rpartition(":")[2])
    made.tab.get_by_text("What you see is as of then").wait_for(state="detached")
    made.until("Everything is serving")
    made.close()
    again.end()
