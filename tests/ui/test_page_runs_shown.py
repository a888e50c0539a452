"""The pages of runs with runs of every kind, as a daemon tells of them: looks, sizes and rules."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from codelocd_ui.runs import summary

from tests.ui.browser import NARROW, NEEDS_BROWSER, WIDE, Shown
from tests.ui.conftest import ServedPage
from tests.ui.run_documents import AT, FAILED, RUNNING, RUNS, SCHEDULES, run, schedule
from tests.ui.test_page_for_everyone import LOOKS, ROOMY, found, needs_axe

pytestmark = NEEDS_BROWSER
TAKE = """async (messages) => {
  const style = document.querySelector('link[rel=stylesheet]').href;
  const { store, take } = await import(new URL('app/store.js', style).href);
  take({ type: 'page', ...store.page, runs: true });
  for (const message of messages) take(message);
}"""
HEAR = """async (told) => {
  const style = document.querySelector('link[rel=stylesheet]').href;
  const { hear } = await import(new URL('app/connection.js', style).href);
  hear(told);
}"""
PAGES = {
    "#/runs": "every_morning",
    "#/runs/17": "no rows",
    "#/runs/18": "runs",
    "#/runs/17/output": "hello",
    "#/runs/17/code": "import x",
    "#/runs/schedules": "Dagster's daemon ticks it",
    "#/location/shop/runs": "failed: exception",
    "#/definition/shop/schedule/every_morning": "71 missed",
    "#/location/shop": "Last runs",
}
LINE = {"seq": 1, "at": AT, "location": "17", "stream": "stdout", "text": "hello", "generation": 1}


def opened(
    browser: Any, page: ServedPage, scheme: str = "light", size: tuple[int, int] = WIDE, **more: Any
) -> Shown:
    """A tab whose daemon tells of RUNS and SCHEDULES; orders it was given are in `shown.orders`."""
    shown = Shown(browser, page, scheme, size, **more)
    by_number = {each["id"]: each for each in RUNS}

    def one(route: Any) -> None:
        asked = json.loads(parse_qs(urlsplit(route.request.url).query)["q"][0])
        code = {"code": {"/shop/orders.py": "import x\n"}} if asked.get("code") else {}
        found = by_number.get(asked["id"]) or run(asked["id"], state="queued")
        route.fulfill(json={"run": found, **code})

    answers = {
        "runs": {"runs": RUNS, "more": False},
        "schedules": {"schedules": SCHEDULES},
        "run_logs": {"lines": [LINE], "last": 1, "more": False},
    }
    for method, answer in answers.items():
        shown.tab.route(f"**/api/{method}?*", fulfilled(answer))
    shown.tab.route("**/api/run_show?*", one)
    shown.tab.route("**/api/show?*", describe)
    shown.tab.evaluate(TAKE, [{"type": "runs", "runs": [summary(each) for each in RUNS]}])
    return shown


def describe(route: Any) -> None:
    """A schedule that the location does not have; all else as it is."""
    known = {"location": "shop", "repository": "__repository__", "kind": "schedule"}
    if "every_morning" in route.request.url:
        route.fulfill(json={**known, "name": "every_morning", "cron": "0 6 * * *"})
    else:
        route.continue_()


def fulfilled(answer: Any) -> Callable[[Any], None]:
    return lambda route: route.fulfill(json=answer)


def ordered(shown: Shown, answer: Any) -> list[Any]:
    """The orders that the page gives from now on; each is answered so."""
    given: list[Any] = []

    def take(route: Any) -> None:
        given.append(route.request.post_data_json)
        route.fulfill(json=answer)

    shown.tab.route("**/api/orders", take)
    return given


def test_every_page_of_runs_is_shown(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    for address, text in PAGES.items():
        shown.go(address)
        shown.tab.locator("#content").get_by_text(text).first.wait_for()
    assert shown.said == []
    shown.close()


def looked_at(shown: Shown, pages: Iterable[str]) -> None:
    for address in pages:
        shown.go(address)
        there = shown.tab.locator("#content").get_by_text(PAGES[address])
        there.first.wait_for(state="attached")
        assert (address, found(shown)) == (address, [])
    shown.close()


@needs_axe
def test_a_run_that_failed_hides_no_other(browser: Any, page: ServedPage) -> None:
    looked_at(opened(browser, page), ["#/runs/17", "#/runs/schedules"])


@needs_axe
@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_no_page_of_runs_keeps_anybody_out_in_any_look(
    browser: Any, page: ServedPage, scheme: str, size: tuple[int, int]
) -> None:
    looked_at(opened(browser, page, scheme, size), PAGES)


@pytest.mark.parametrize("size", [(320, 560), NARROW, (720, 400)])
def test_runs_have_room_on_a_small_screen(
    browser: Any, page: ServedPage, size: tuple[int, int]
) -> None:
    shown = opened(browser, page, size=size)
    for address in PAGES:
        shown.go(address)
        shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
        shown.tab.wait_for_load_state("networkidle")
        assert (address, shown.tab.evaluate(ROOMY)) == (address, [])
    shown.close()


def test_runs_follow_what_the_daemon_tells(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    shown.go("#/runs/18")
    shown.tab.locator(".steps li", has_text="orders").wait_for()
    told = {"event": "step", "at": AT + 1, "kind": "asset", "name": "paid", "state": "started"}
    shown.tab.evaluate(HEAR, {"type": "told", "id": 18, "attempt": 1, "told": told})
    shown.tab.locator(".steps li", has_text="paid").wait_for()
    shown.go("#/runs?state=live")
    shown.until("2 runs")
    ended = {**summary(RUNNING), "state": "succeeded", "ended": AT + 9}
    shown.tab.evaluate(HEAR, {"type": "run", "run": ended})
    shown.until("1 run")
    shown.tab.get_by_label("State").select_option("failed")
    shown.until("failed: exception")
    assert "state=failed" in shown.tab.url
    assert shown.said == []
    shown.close()


def test_a_run_is_cancelled_after_a_question_killed_and_run_again(
    browser: Any, page: ServedPage
) -> None:
    shown = opened(browser, page)
    given = ordered(shown, {"id": 21, "run": run(21, state="queued")})
    shown.go("#/runs/18")
    shown.tab.locator("[data-order=cancel]").wait_for()
    shown.tab.keyboard.press("c")
    shown.tab.locator("[data-order=cancel-now]").click()
    shown.tab.locator("[data-order=cancel]").wait_for()
    shown.tab.evaluate(HEAR, {"type": "run", "run": {**summary(RUNNING), "stopping": "cancel"}})
    shown.tab.locator("[data-order=kill]").click()
    shown.go("#/runs/17")
    shown.tab.locator("[data-order=retry]").click()
    shown.tab.wait_for_url("**/#/runs/21")
    assert given == [
        {"order": "run_cancel", "params": {"id": 18}},
        {"order": "run_cancel", "params": {"id": 18, "kill": True}},
        {"order": "run_retry", "params": {"id": FAILED["id"]}},
    ]
    shown.close()


def test_an_asset_is_made_with_tags_from_its_sheet_by_keyboard(
    browser: Any, page: ServedPage
) -> None:
    shown = opened(browser, page)
    given = ordered(shown, {"id": 18, "run": RUNNING})
    shown.go("#/definition/shop/asset/paid")
    shown.tab.locator("[data-order=run]").wait_for()
    shown.tab.keyboard.press("x")
    shown.tab.get_by_role("dialog", name="Make paid").wait_for()
    if needs_axe.args[0] is False:
        assert found(shown) == []
    shown.tab.keyboard.type("team=ads why=test")
    shown.tab.get_by_label("Make what it is made from, too").check()
    shown.tab.get_by_role("dialog").get_by_role("button", name="Make").press("Enter")
    shown.tab.wait_for_url("**/#/runs/18")
    asked = {
        "upstream": True,
        "checks": "with",
        "params": {},
        "tags": {"team": "ads", "why": "test"},
    }
    params = {"location": "shop", "repository": "__repository__", "names": ["paid"], **asked}
    assert given == [{"order": "run", "params": params}]
    shown.close()


def test_a_schedule_is_switched_off(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    off = schedule("every_morning", enabled=False)
    given = ordered(shown, {"schedule": off})
    shown.go("#/runs/schedules")
    switch = shown.tab.get_by_role("switch", name="every_morning of shop")
    switch.wait_for()
    shown.tab.route("**/api/schedules?*", fulfilled({"schedules": [off]}))
    switch.click()
    shown.tab.get_by_role("switch", name="every_morning of shop", checked=False).wait_for()
    params = {"location": "shop", "repository": "__repository__", "name": "every_morning"}
    assert given == [{"order": "schedule_set", "params": {**params, "enabled": False}}]
    shown.close()


def test_a_restart_says_that_runs_go_on_and_asks_only_then(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    shown.go("#/location/shop")
    shown.tab.locator("[data-order=restart]").click()
    shown.until("1 run of it goes on with the code that it began with.")
    assert shown.tab.evaluate("document.activeElement.dataset.order") == "restart-now"
    shown.tab.keyboard.press("Escape")
    given = ordered(shown, {"locations": [{"name": "shop", "ok": True}]})
    for each in RUNS[:2]:
        ended = {**summary(each), "state": "succeeded", "ended": AT}
        shown.tab.evaluate(HEAR, {"type": "run", "run": ended})
    shown.tab.locator("[data-order=restart]").click()
    shown.until("serves again")
    assert given == [{"order": "restart", "locations": ["shop"]}]
    shown.close()


def test_the_search_finds_runs_files_packages_and_what_to_start(
    browser: Any, page: ServedPage
) -> None:
    shown = opened(browser, page)
    environment = {"key": "4f2a9be1c0d3", "packages": ["pandas==2.3.1"], "used_by": ["shop"]}
    shown.tab.route("**/api/environments?*", lambda route: route.fulfill(json=[environment]))
    search = shown.tab.get_by_role("combobox", name="Search")
    shown.tab.keyboard.press("Control+k")
    search.fill("17")
    shown.tab.get_by_role("option", name="run 17 shop/nightly").wait_for()
    search.fill("pandas")
    shown.tab.get_by_role("option", name="pandas 2.3.1 package in 4f2a9be1c0d3 of shop").wait_for()
    search.fill("definitions.py")
    shown.tab.get_by_role("option", name="2 definitions in shop").click()
    shown.until("2 of 2 definitions")
    shown.tab.keyboard.press("Control+k")
    search.fill("run 99")
    shown.tab.get_by_role("option", name="run 99").wait_for()
    shown.close()


def test_a_page_that_may_only_read_has_no_orders_for_runs(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    read_only = {"type": "page", "name": "shop", "editor": "", "version": "", "runs": True}
    shown.tab.evaluate(TAKE, [{**read_only, "read_only": True}])
    for address in ("#/runs/18", "#/runs/schedules", "#/definition/shop/asset/paid"):
        shown.go(address)
        shown.tab.locator("#content h1").wait_for()
        shown.tab.wait_for_load_state("networkidle")
        assert shown.tab.locator("#content [data-order]").count() == 0
    shown.close()


def test_forced_colours_leave_the_states_of_runs_to_be_seen(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page, forced_colors="active", reduced_motion="reduce")
    shown.go("#/runs")
    colour = "(one) => getComputedStyle(one).backgroundColor"
    seen = {
        level: shown.tab.locator(f".table .dot.{level}").first.evaluate(colour)
        for level in ("ok", "bad", "off")
    }
    assert len(set(seen.values())) == 3
    shown.close()


def test_a_daemon_without_runs_and_jobs_is_asked_nothing_of_them(
    browser: Any, page: ServedPage
) -> None:
    shown = Shown(browser, page)
    for address in ("#/", "#/location/shop", "#/definition/shop/asset/paid", "#/definitions"):
        shown.go(address)
        shown.tab.locator("#content :is(h1, h2)").first.wait_for(state="attached")
    shown.tab.wait_for_load_state("networkidle")
    assert shown.tab.locator(".nav", has_text="Runs").count() == 0
    assert not [each for each in shown.asked if "/api/run" in each or "/api/schedules" in each]
    shown.close()


WAITS = [
    ("#/runs", "runs", "Runs", "every_morning"),
    ("#/runs/schedules", "schedules", "Runs/Schedules", "Dagster's daemon ticks it"),
    ("#/runs/17", "run_show", "Runs/17", "no rows"),
    ("#/definition/shop/schedule/every_morning", "show", "Definition/shop", "0 6 * * *"),
]


def test_a_run_that_is_tried_again_says_when(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    again = run(18, state="queued", ended=None, retry_at=time.time() + 1000)
    shown.tab.route("**/api/run_show?*", fulfilled({"run": again}))
    shown.tab.evaluate(HEAR, {"type": "run", "run": summary(again)})
    shown.go("#/runs/18")
    shown.tab.locator("dt", has_text="Next attempt").wait_for()
    shown.tab.locator("dd", has_text="in 16 min").wait_for()
    shown.close()


def held_up(shown: Shown, method: str) -> list[Any]:
    """What the page asks of that method; none is answered by itself."""
    held: list[Any] = []
    shown.tab.route(f"**/api/{method}?*", lambda route: held.append(route))
    return held


def test_a_page_says_that_it_waits_for_the_daemon(browser: Any, page: ServedPage) -> None:
    shown = opened(browser, page)
    shown.tab.evaluate(TAKE, [{"type": "runs", "runs": []}])
    content = shown.tab.locator("#content")
    for address, method, crumb, text in WAITS:
        held = held_up(shown, method)
        shown.go(address)
        waits = content.get_by_text("Loading…")
        waits.wait_for()
        assert "Nothing has run" not in content.inner_text()
        assert shown.tab.locator(".crumbs").inner_text() == f"shop/{crumb}"
        for route in held:
            route.fallback()
        content.get_by_text(text).first.wait_for()
        waits.wait_for(state="detached")
    shown.close()
