"""The page for those who use a keyboard, a screen reader, another theme or a small screen.

axe-core knows the rules (WCAG 2.2 A and AA, and its best practices); `make test` installs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import Dev
from tests.ui.browser import NARROW, NEEDS_BROWSER, WIDE, Shown
from tests.ui.conftest import ASSETS, ServedPage, serve

AXE = Path(__file__).parents[2] / ".cache" / "node" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
pytestmark = NEEDS_BROWSER
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: make test does")
LOOKS = [(scheme, size) for scheme in ("light", "dark") for size in (WIDE, NARROW)]
PAGES = [
    "#/",
    "#/location/shop",
    "#/location/shop/definitions",
    "#/location/shop/output",
    "#/location/shop/events",
    "#/location/shop/environment",
    "#/location/shop/timing",
    "#/definition/shop/asset/paid",
    "#/definitions",
    "#/graph",
    "#/graph/shop/paid",
    "#/output",
    "#/events",
    "#/environments",
    "#/location/nowhere",
]


def found(shown: Shown) -> list[str]:
    """What axe-core has to say of the page as it is: rule and element."""
    shown.tab.wait_for_load_state("networkidle")
    shown.tab.evaluate(AXE.read_text())
    script = """async (tags) => {
      await new Promise((done) => setTimeout(done, 50));
      const { violations } = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
      return violations.flatMap((rule) => rule.nodes.map((node) => [
        rule.id, node.target.join(' '), node.failureSummary, location.hash].join(': ')));
    }"""
    said: list[str] = shown.tab.evaluate(script, RULES)
    return said


@pytest.fixture
def broken(page: ServedPage) -> Iterator[ServedPage]:
    """The location's newest save does not load."""
    source = page.daemon.project / "definitions.py"
    source.write_text(ASSETS.replace("def paid(): ...", "def paid(: ..."))
    page.daemon.until("shop", lambda entry: entry["problem"] is not None)
    yield page
    source.write_text(ASSETS)
    page.daemon.until("shop", lambda entry: entry["problem"] is None)


def looked_at(
    browser: Any, page: ServedPage, scheme: str, size: tuple[int, int], pages: Sequence[str] = PAGES
) -> list[str]:
    shown = Shown(browser, page, scheme, size)
    said = []
    for address in pages:
        shown.go(address)
        shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
        said += found(shown)
    shown.close()
    return said


@needs_axe
def test_the_pages_with_a_problem_keep_nobody_out(browser: Any, broken: ServedPage) -> None:
    assert looked_at(browser, broken, "light", WIDE, PAGES[:2]) == []


@needs_axe
@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_no_page_keeps_anybody_out_in_any_look(
    browser: Any, broken: ServedPage, scheme: str, size: tuple[int, int]
) -> None:
    assert looked_at(browser, broken, scheme, size) == []


def ask_to_stop(shown: Shown) -> None:
    shown.go("#/location/shop")
    shown.tab.locator("[data-order=stop]").click()


def search(shown: Shown) -> None:
    shown.tab.keyboard.press("Control+k")
    shown.tab.get_by_role("combobox", name="Search").wait_for()


def list_keys(shown: Shown) -> None:
    shown.tab.locator("#content").focus()
    shown.tab.keyboard.press("?")
    shown.tab.get_by_role("dialog", name="Keys").wait_for()


def open_sheet(shown: Shown) -> None:
    shown.tab.get_by_role("button", name="All").click()
    shown.tab.get_by_role("dialog").wait_for()


STORE = """async (changed) => {
  const style = document.querySelector('link[rel=stylesheet]').href;
  const { store, tell } = await import(new URL('app/store.js', style).href);
  Object.assign(store, changed);
  tell();
}"""


def bar(text: str, **changed: object) -> Callable[[Shown], None]:
    """The page as it is when its store has these values: below the bar that says this."""

    def come_there(shown: Shown) -> None:
        shown.tab.evaluate(STORE, changed)
        shown.tab.locator(".bar", has_text=text).wait_for()

    return come_there


lose_connection = bar("No connection since", link="lost", lostAt=1.7e9)
lose_daemon = bar("codelocd is not there since", gone={"at": 1.7e9, "why": "it was killed"})
come_back = bar("Connected again", back={"at": 4e9, "count": 3})
outdate = bar("A newer version of this page", outdated=True)
STATES: list[tuple[Callable[[Shown], None], tuple[int, int]]] = [
    (ask_to_stop, WIDE),
    (search, WIDE),
    (list_keys, WIDE),
    (open_sheet, NARROW),
    (lose_connection, WIDE),
    (lose_daemon, WIDE),
    (lose_daemon, NARROW),
    (come_back, WIDE),
    (outdate, NARROW),
]


@needs_axe
@pytest.mark.slow
@pytest.mark.parametrize(("come_there", "size"), STATES)
def test_no_state_of_the_page_keeps_anybody_out(
    browser: Any, page: ServedPage, come_there: Callable[[Shown], None], size: tuple[int, int]
) -> None:
    said = []
    for scheme in ("light", "dark"):
        shown = Shown(browser, page, scheme, size)
        come_there(shown)
        said += found(shown)
        shown.close()
    assert said == []


@needs_axe
def test_a_page_without_locations_keeps_nobody_out_and_says_what_to_write(
    browser: Any, tmp_path: Path
) -> None:
    (tmp_path / "codelocd.toml").touch()
    daemon = Dev(tmp_path, tmp_path / "home", (), serves=False)
    page = serve(daemon, tmp_path / "secret")
    try:
        page.log_in()  # the daemon is reached: a page of one that is not says so for each request
        for scheme in ("light", "dark"):
            shown = Shown(browser, page, scheme)
            shown.until("No locations yet")
            shown.until("[location.shop]")
            assert found(shown) == []
            for address in PAGES:
                shown.go(address)
                shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
            assert [said for said in shown.said if "status of 404" not in said] == []
            shown.close()
    finally:
        page.end()
        daemon.stop()


ROOMY = """() => {
  const parts = [...document.querySelectorAll('#page, .topbar, .content, [role=dialog]')];
  const wide = parts.filter((one) => one.scrollWidth > one.clientWidth + 1);
  const high = [...document.querySelectorAll('[role=dialog]')]
    .filter((one) => one.getBoundingClientRect().bottom > innerHeight + 1);
  return [...wide, ...high].map((one) => one.className || one.id);
}"""
"""Parts that are wider than their place, and dialogs that end below the screen."""


@pytest.mark.parametrize("size", [(320, 560), (720, 400)], ids=["320 px", "zoom of 200 %"])
def test_nothing_is_cut_off_on_a_tiny_screen_or_at_a_large_zoom(
    browser: Any, broken: ServedPage, size: tuple[int, int]
) -> None:
    shown = Shown(browser, broken, "light", size)
    for address in PAGES:
        shown.go(address)
        shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
        shown.tab.wait_for_load_state("networkidle")
        assert (address, shown.tab.evaluate(ROOMY)) == (address, [])
    for come_there in (search, list_keys, open_sheet):
        come_there(shown)
        assert shown.tab.evaluate(ROOMY) == []
        shown.tab.keyboard.press("Escape")
        shown.tab.get_by_role("dialog").wait_for(state="detached")
    shown.close()


FORCED = """() => {
  const one = (selector) => document.querySelector(`.plane ${selector}`);
  const canvas = one('canvas'), chosen = getComputedStyle(one('.asset.chosen'));
  const sheet = canvas.getBoundingClientRect(), place = one('.box').getBoundingClientRect();
  const inside = [place.right - sheet.left - 8, place.bottom - sheet.top + 3];
  return { inside: [...canvas.getContext('2d').getImageData(...inside, 1, 1).data],
           ok: getComputedStyle(one('.box .dot.ok')).backgroundColor,
           apart: chosen.color !== chosen.backgroundColor,
           motion: matchMedia('(prefers-reduced-motion: reduce)').matches };
}"""


def test_forced_colours_leave_states_the_graph_and_what_is_chosen_to_be_seen(
    browser: Any, page: ServedPage
) -> None:
    shown = Shown(browser, page, forced_colors="active", reduced_motion="reduce")
    shown.go("#/graph/shop/paid")
    shown.tab.locator(".plane .asset.chosen").wait_for()
    shown.tab.locator(".plane .box .dot.ok").wait_for()
    seen = shown.tab.evaluate(FORCED)
    assert seen["inside"] == [255, 255, 255, 255]  # as the system wants it: not the text's colour
    assert seen["apart"]
    assert seen["motion"]
    assert seen["ok"] not in ("rgb(0, 0, 0)", "rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    shown.go("#/")
    shown.tab.locator(".segments .ok").first.wait_for()
    width = "(one) => getComputedStyle(one).backgroundColor"
    assert shown.tab.locator(".segments .ok").first.evaluate(width) == seen["ok"]
    assert shown.said == []
    shown.close()


@needs_axe
def test_the_login_keeps_nobody_out(browser: Any, page: ServedPage) -> None:
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(f"{page.url}#{'x' * 32}")
    tab.get_by_role("alert").wait_for()
    shown = object.__new__(Shown)
    shown.tab = tab
    assert found(shown) == []
    context.close()


def test_a_repair_needs_no_mouse(browser: Any, broken: ServedPage) -> None:
    """From the link: to the problem, its code and its whole text; stopped, started, repaired."""
    shown = Shown(browser, broken)
    shown.until("1 location needs attention")
    keys = shown.tab.keyboard
    keys.press("]")
    shown.tab.locator("h1", has_text="shop").wait_for()
    shown.tab.locator(".code .at.hit").wait_for()

    def come_to(name: str) -> None:
        for _ in range(80):
            keys.press("Tab")
            text = shown.tab.evaluate("document.activeElement.textContent.trim()")
            if text.startswith(name):
                return
        raise AssertionError(f"Tab does not lead to {name}")

    come_to("Whole text")
    keys.press("Enter")
    shown.tab.locator("pre.text").wait_for()
    keys.press("s")
    shown.until("It stays stopped until started")
    assert shown.tab.evaluate("document.activeElement.dataset.order") == "stop-now"
    keys.press("Escape")
    source = broken.daemon.project / "definitions.py"
    source.write_text(ASSETS)
    shown.tab.locator(".title .pill.ok").wait_for()
    keys.press("r")
    shown.until("reloaded")
    assert shown.said == []
    shown.close()
