"""Runs of a real daemon in a real browser: started, followed, cancelled and run again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import Dev
from tests.ui.browser import NEEDS_BROWSER, Shown
from tests.ui.conftest import DEADLINE, ServedPage, serve
from tests.ui.test_page_server import opened, until

CODE = """\
import time
from pathlib import Path

from codeloc import Definitions, asset, asset_check, asset_job, job, schedule

HERE = Path(__file__).parent

@asset
def raw(context):
    context.add_metadata(rows=3)
    print("three rows", flush=True)
    return [1, 2, 3]

@asset_check(asset="raw")
def not_empty(raw):
    return len(raw) > 0

@asset
def total(raw, factor: int = 1):
    return sum(raw) * factor

@job
def nightly(day: str = "today", count: int = 2):
    for number in range(count):
        print(f"{day} {number}", flush=True)

@job
def broken():
    raise ValueError("no rows came")

@job
def waits():
    print("waiting", flush=True)
    try:
        while not (HERE / "go").exists():
            time.sleep(0.01)
    finally:
        print("left", flush=True)

@schedule(job=nightly, cron="0 6 1 1 *")
def every_year(): ...

defs = Definitions(
    assets=[raw, total],
    asset_checks=[not_empty],
    jobs=[nightly, broken, waits, asset_job("weekly", ["raw", "total"])],
    schedules=[every_year],
)
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A daemon with a location, `shop`, that has assets and jobs of every kind."""
    home = tmp_path_factory.mktemp("runs")
    project = home / "project"
    project.mkdir()
    (project / "definitions.py").write_text(CODE)
    (project / "codelocd.toml").write_text('[location.shop]\npython_file = "definitions.py"\n')
    started = Dev(project, home / "home", ("--tick",))
    try:
        started.until_serving("shop")
        yield started
    finally:
        started.stop()


@pytest.fixture
def shown(browser: Any, page: ServedPage) -> Iterator[Shown]:
    made = Shown(browser, page)
    yield made
    assert made.said == []
    made.close()


def run(page: ServedPage, *names: str, **more: Any) -> dict[str, Any]:
    """The run's document, at once or, with `wait=True`, when it has ended."""
    with page.daemon.client() as client:
        found: dict[str, Any] = client.call("run", {"location": "shop", "names": names, **more})
    document: dict[str, Any] = found["run"]
    return document


def until_printed(page: ServedPage, number: int, text: str) -> None:
    """Its user code has begun."""
    end = time.monotonic() + DEADLINE
    while text not in [each["text"] for each in page.ask("run_logs", id=number)["lines"]]:
        assert time.monotonic() < end, f"run {number} does not print {text}"
        time.sleep(0.05)


def test_a_tab_hears_of_runs_and_of_what_the_one_that_it_shows_prints(page: ServedPage) -> None:
    with opened(page) as socket:
        until(socket, lambda one: one["type"] == "state" and one["gone"] is None)
        number = run(page, "waits")["id"]
        begun = until(socket, lambda one: one["type"] == "run" and one["run"]["id"] == number)
        assert begun["run"]["location"] == "shop"
        assert "steps" not in begun["run"]
        socket.send(json.dumps({"run": number}))
        until_printed(page, number, "waiting")
        answer = page.request(
            "POST", "/api/orders", {"order": "run_cancel", "params": {"id": number}}
        )
        assert answer.json()["run"]["id"] == number
        lines: list[Any] = []
        states: list[str] = []

        def both(one: Any) -> bool:
            lines.extend(one["lines"] if one["type"] == "run_output" else [])
            states.append(one["run"]["state"] if one["type"] == "run" else "")
            return "cancelled" in states and bool(lines) and lines[-1][4] == "left"

        until(socket, both)  # output comes in batches
        assert lines[-1][2:] == ["shop", "stdout", "left", 1]
    with opened(page) as socket:
        known = until(socket, lambda one: one["type"] == "runs")
        assert number in [each["id"] for each in known["runs"]]


def test_a_run_of_the_page_says_so_and_an_unknown_one_is_refused(page: ServedPage) -> None:
    order = {"order": "run", "params": {"location": "shop", "names": ["nightly"]}}
    made = page.request("POST", "/api/orders", order).json()
    assert made["run"]["by"]["kind"] == "page"
    missing = page.request("POST", "/api/orders", {"order": "run_cancel", "params": {"id": 9999}})
    assert missing.status == 404
    assert "there is no run 9999" in missing.json()["error"]["message"]
    nothing = {"order": "run", "params": {"location": "shop", "names": ["nightl"]}}
    assert page.request("POST", "/api/orders", nothing).status == 404


@NEEDS_BROWSER
def test_a_job_is_run_from_its_sheet_with_parameters_and_its_output_is_read(shown: Shown) -> None:
    shown.go("#/definition/shop/job/nightly")
    shown.tab.locator("[data-order=run]").click()
    dialog = shown.tab.get_by_role("dialog", name="Run nightly")
    dialog.get_by_label("day").fill("2026-11-01")
    dialog.get_by_label("count").fill("3")
    dialog.get_by_role("button", name="Run").click()
    shown.tab.locator("h1", has_text="Run ").wait_for()
    shown.tab.locator(".title .pill.ok", has_text="succeeded").wait_for()
    shown.tab.locator(".steps li", has_text="nightly").wait_for()
    shown.tab.locator(".pairs", has_text="2026-11-01").wait_for()
    shown.tab.get_by_role("link", name="Output").last.click()
    shown.tab.locator(".output .line .text", has_text="2026-11-01 2").wait_for()
    shown.tab.get_by_role("link", name="Code", exact=True).click()
    shown.tab.locator("pre.text.whole", has_text="def nightly").wait_for()


@NEEDS_BROWSER
def test_a_wrong_parameter_is_told_where_it_was_given(shown: Shown) -> None:
    """One of an asset that the job makes."""
    shown.go("#/definition/shop/job/weekly")
    shown.tab.locator("[data-order=run]").click()
    shown.tab.get_by_role("dialog").get_by_label("factor").fill("many")
    shown.tab.get_by_role("dialog").get_by_role("button", name="Run").click()
    shown.tab.locator(".title .pill.bad", has_text="failed: usage").wait_for()
    shown.until("parameter \"factor\": 'many' is no int")


@NEEDS_BROWSER
def test_an_asset_is_made_and_says_so(page: ServedPage, shown: Shown) -> None:
    shown.go("#/definition/shop/asset/raw")
    shown.tab.locator("[data-order=run]").click()
    shown.tab.get_by_role("dialog").get_by_role("button", name="Make").click()
    shown.tab.locator(".title .pill.ok", has_text="succeeded").wait_for()
    step = shown.tab.locator(".steps > li", has_text="raw")
    step.locator(".metadata", has_text="rows").wait_for()
    step.locator("li", has_text="not_empty").get_by_text("passed").wait_for()
    shown.go("#/definition/shop/asset/raw")
    shown.until("Last made")


@NEEDS_BROWSER
def test_a_failure_shows_the_line_and_is_run_again(page: ServedPage, shown: Shown) -> None:
    number = run(page, "broken", wait=True)["id"]
    shown.go(f"#/runs/{number}")
    shown.tab.locator(".code .at.hit", has_text='raise ValueError("no rows came")').wait_for()
    shown.tab.get_by_role("button", name="Whole text").click()
    shown.tab.locator("pre.text", has_text="Traceback").wait_for()
    shown.tab.locator("[data-order=retry]").click()
    shown.tab.locator(".pairs a", has_text=f"run {number}").wait_for()
    assert not shown.tab.url.endswith(f"/{number}")
    shown.tab.locator(".title .pill.bad", has_text="failed: exception").wait_for()
    shown.go("#/events?location=shop")
    shown.tab.locator(".story", has_text=f"run {number}: broken failed").first.wait_for()
    shown.go("#/runs?state=failed")
    shown.tab.locator(".table", has_text="shop/broken").wait_for()


@NEEDS_BROWSER
def test_a_run_is_followed_and_cancelled_and_a_restart_leaves_it_alone(
    page: ServedPage, shown: Shown
) -> None:
    number = run(page, "waits")["id"]
    shown.go(f"#/runs/{number}/output")
    shown.tab.locator(".output .line .text", has_text="waiting").wait_for()
    shown.go("#/location/shop")
    shown.tab.locator("[data-order=restart]").click()
    shown.until("1 run of it goes on with the code that it began with.")
    shown.tab.locator("[data-order=restart-now]").click()
    shown.until("serves again")
    shown.go(f"#/runs/{number}")
    shown.tab.locator(".title .pill.busy", has_text="running").wait_for()
    shown.tab.keyboard.press("c")
    shown.tab.locator("[data-order=cancel-now]").click()
    shown.tab.locator(".title .pill.off", has_text="cancelled").wait_for()


@NEEDS_BROWSER
def test_a_job_is_found_and_run_by_the_search(shown: Shown) -> None:
    shown.tab.keyboard.press("Control+k")
    shown.tab.get_by_role("combobox", name="Search").fill("run shop/night")
    shown.tab.get_by_role("option", name="Run shop/nightly").click()
    shown.tab.get_by_role("dialog", name="Run nightly").get_by_role("button", name="Run").click()
    shown.tab.locator("h1", has_text="Run ").wait_for()
    number = shown.tab.locator("h1").inner_text().removeprefix("Run ")
    shown.go("#/")
    shown.tab.keyboard.press("Control+k")
    shown.tab.get_by_role("combobox", name="Search").fill(number)
    shown.tab.get_by_role("option", name=f"run {number} shop/nightly").click()
    shown.tab.locator("h1", has_text=f"Run {number}").wait_for()


@NEEDS_BROWSER
def test_a_schedule_is_listed_with_its_next_tick_and_switched_off_and_on(shown: Shown) -> None:
    shown.go("#/runs/schedules")
    switch = shown.tab.get_by_role("switch", name="every_year of shop")
    switch.wait_for()
    row = shown.tab.locator("tr", has_text="every_year")
    row.get_by_text("0 6 1 1 *").wait_for()
    row.get_by_text("in ").wait_for()
    switch.click()
    shown.tab.get_by_role("switch", name="every_year of shop", checked=False).wait_for()
    shown.go("#/definition/shop/schedule/every_year")
    shown.tab.get_by_role("switch", name="every_year of shop", checked=False).click()
    shown.tab.get_by_role("switch", name="every_year of shop", checked=True).wait_for()
    shown.until("Then ")


@NEEDS_BROWSER
def test_a_page_that_may_only_read_refuses_runs(browser: Any, daemon: Dev, tmp_path: Path) -> None:
    served = serve(daemon, tmp_path / "secret", "--read-only")
    try:
        made = Shown(browser, served)
        made.go("#/definition/shop/job/nightly")
        made.tab.locator("h1", has_text="nightly").wait_for()
        made.tab.wait_for_load_state("networkidle")
        assert made.tab.locator("#content [data-order]").count() == 0
        made.close()
    finally:
        served.end()
