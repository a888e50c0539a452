"""Runs that Dagster's page launches and codelocd carries out: `[dagster] launcher = "warm"`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from tests.end_to_end.daemons import Service
from tests.end_to_end.dagster.conftest import Page

JOBS = """
import os
import time
import dagster as dg

@dg.asset
def orders():
    return 1

@dg.asset
def report(orders):
    return orders

@dg.op
def stay():
    time.sleep(1000)

@dg.job
def wait():
    stay()

nightly = dg.define_asset_job("nightly", selection=["orders"])
apart = dg.define_asset_job("apart", executor_def=dg.multiprocess_executor)
defs = dg.Definitions(
    assets=[orders, report], jobs=[nightly, apart, wait], executor=dg.in_process_executor,
)
"""

WARM = '\n[dagster]\nlauncher = "warm"\n'
ASSETS = """mutation($keys: [AssetKeyInput!]!) {
  launchRun(executionParams: {mode: "default", selector: {jobName: "__ASSET_JOB",
      repositoryName: "__repository__", repositoryLocationName: "shop",
      assetSelection: $keys}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
TAGS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
SECONDS = 5.0

pytestmark = pytest.mark.slow


@pytest.fixture
def shown(project, declare, page) -> Page:
    declare(shop="newest")
    with (project / "codelocd.toml").open("a") as config:
        config.write(WARM)
    (project / "shop.py").write_text(JOBS)
    made: Page = page("shop")
    return made


def carried_out(page: Page, dagster_run: str) -> dict[str, Any] | None:
    """codelocd's record of it."""
    with page.dev.client() as client:
        runs: list[dict[str, Any]] = client.call("runs")["runs"]
    return next((run for run in runs if run["dagster_run"] == dagster_run), None)


def begun(page: Page) -> tuple[str, dict[str, Any]]:
    """A run that the page has launched, once its step goes on, and codelocd's record of it."""
    run = page.launch("shop", "wait")

    def found() -> dict[str, Any] | None:
        known = carried_out(page, run)
        steps = known is not None and known["steps"] and page.status(run) == "STARTED"
        return known if steps else None

    return run, page.until(found)


def test_what_the_page_launches_codelocd_carries_out(shown):
    run = shown.launch("shop", "nightly")
    shown.until(lambda: shown.status(run) == "SUCCESS")
    known = shown.until(lambda: ended(shown, run))
    assert (known["state"], known["job"], known["by"]["kind"]) == (
        "succeeded",
        "nightly",
        "dagster",
    )
    assert [step["name"] for step in known["steps"]] == ["orders"]
    tags = {each["key"]: each["value"] for each in shown.ask(TAGS, id=run)["runOrError"]["tags"]}
    assert tags["codelocd/run"] == str(known["id"])

    run = shown.launch("shop", "apart")
    shown.until(lambda: shown.status(run) == "SUCCESS")
    known = shown.until(lambda: ended(shown, run))
    assert {step["name"] for step in known["steps"]} == {"orders", "report"}

    told = shown.ask(ASSETS, keys=[{"path": ["orders"]}])["launchRun"]
    run = told["run"]["runId"]
    shown.until(lambda: shown.status(run) == "SUCCESS")
    known = shown.until(lambda: ended(shown, run))
    assert (known["select"], [step["name"] for step in known["steps"]]) == (["orders"], ["orders"])


def test_terminate_and_a_kill_are_told_at_once(shown):
    run, _ = begun(shown)
    clock = time.monotonic()
    shown.terminate(run)
    shown.until(lambda: shown.status(run) == "CANCELED")
    assert time.monotonic() - clock < SECONDS
    assert shown.until(lambda: ended(shown, run))["state"] == "cancelled"

    run, known = begun(shown)
    os.kill(known["attempts"][-1]["pid"], signal.SIGKILL)
    shown.until(lambda: shown.status(run) == "FAILURE")
    assert shown.until(lambda: ended(shown, run))["why"] == "signal"


def ended(page: Page, dagster_run: str) -> dict[str, Any] | None:
    known = carried_out(page, dagster_run)
    return known if known is not None and known["ended"] is not None else None


SERVE = """
[daemon]
log_format = "json"
[dagster]
serve = true
launcher = "warm"
port = {port}
"""


@pytest.fixture
def begin(project, declare, page_of, unused_port, tmp_path) -> Iterator[Callable[[], Page]]:
    """`begin()`: another daemon of one state, and its page once that shows the location."""
    declare(shop="newest")
    (project / "shop.py").write_text(JOBS)
    port, config = unused_port(), project / "codelocd.toml"
    config.write_text(SERVE.format(port=port) + config.read_text())
    made: list[Service] = []

    def started() -> Page:
        (tmp_path / "notify").unlink(missing_ok=True)
        made.append(Service(project, tmp_path))
        made[-1].told(b"READY=1")
        page: Page = page_of(made[-1], port)
        page.until(lambda: page.loaded() == {"shop"})
        return page

    yield started
    if made[-1].process.poll() is None:
        made[-1].stop()


def test_a_run_outlives_its_daemon_and_one_that_is_launched_meanwhile_is_dagsters(begin):
    page = begin()
    run, known = begun(page)
    page.dev.process.kill()
    page.dev.process.communicate()
    page.dev.manager.close()
    alone = page.launch("shop", "nightly")
    page.until(lambda: page.status(alone) == "SUCCESS")
    page = begin()
    assert carried_out(page, alone) is None
    assert psutil.pid_exists(known["attempts"][-1]["pid"])
    assert page.status(run) == "STARTED"
    page.terminate(run)
    page.until(lambda: page.status(run) == "CANCELED")
    assert page.until(lambda: ended(page, run))["state"] == "cancelled"
    again = page.launch("shop", "nightly")
    page.until(lambda: page.status(again) == "SUCCESS")
    assert page.until(lambda: ended(page, again))["state"] == "succeeded"
