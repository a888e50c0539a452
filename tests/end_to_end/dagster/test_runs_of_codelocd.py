"""Runs that codelocd carries out on Dagster's instance, as Dagster's page shows them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from codelocd.runs.book_reading import LeftBook
from tests.end_to_end.daemons import CACHE, CODELOCD, wait_for
from tests.end_to_end.dagster.conftest import Page

JOBS = """
import time
import dagster as dg

@dg.asset
def orders():
    return dg.Output(1, metadata={"rows": 3})

@dg.asset_check(asset=orders)
def enough():
    return dg.AssetCheckResult(passed=True)

@dg.op
def stay():
    time.sleep(1000)

@dg.job
def wait():
    stay()

nightly = dg.define_asset_job("nightly", selection=["orders"])
every = dg.ScheduleDefinition(job=nightly, cron_schedule="* * * * *")
defs = dg.Definitions(
    assets=[orders], asset_checks=[enough], jobs=[nightly, wait], schedules=[every],
    executor=dg.EXECUTOR,
)
"""

RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
  status jobName tags { key value }
  repositoryOrigin { repositoryLocationName repositoryName }
  eventConnection { events { __typename } } } } }"""

TOLD_SECONDS = 10.0
"""In which Dagster must know that a process was killed, however busy the machine is."""
GROUP = """query($id: ID!) { runGroupOrError(runId: $id) { ... on RunGroup {
  rootRunId runs { runId } } } }"""

pytestmark = pytest.mark.slow


def told_by(page: Page, run: str) -> dict[str, Any]:
    found: dict[str, Any] = page.ask(RUN, id=run)["runOrError"]
    return found


def events_of(told: dict[str, Any]) -> set[str]:
    """But for what processes say of themselves."""
    every = {each["__typename"] for each in told["eventConnection"]["events"]}
    of_processes = {"EngineEvent", "StepWorkerStartingEvent", "StepWorkerStartedEvent"}
    of_launchers = {"RunStartingEvent", "RunEnqueuedEvent", "RunDequeuedEvent"}
    return every - of_processes - of_launchers - {"ResourceInitStartedEvent"}


@pytest.fixture
def shown(project, declare, page, request) -> Page:
    declare(shop="newest")
    (project / "shop.py").write_text(JOBS.replace("EXECUTOR", "in_process_executor"))
    made: Page = page("shop")
    return made


def start(page: Page, name: str, **params: Any) -> dict[str, Any]:
    with page.dev.client() as client:
        found: dict[str, Any] = client.call("run", {"location": "shop", "names": [name], **params})
        return found


def ended(page: Page, number: int) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        with page.dev.client() as client:
            run: dict[str, Any] = client.call("run_show", {"id": number})["run"]
        return run if run["ended"] is not None else None

    run: dict[str, Any] = page.until(found)
    return run


def test_a_run_is_on_dagsters_page_with_its_job_and_all_events_of_one_that_dagster_launched(shown):
    run = start(shown, "nightly", wait=True, tags={"team": "a"})["run"]
    assert (run["state"], [step["name"] for step in run["steps"]]) == ("succeeded", ["orders"])
    (orders,) = run["steps"]
    assert (orders["metadata"]["rows"], orders["checks"][0]["state"]) == (3, "passed")
    told = told_by(shown, run["dagster_run"])
    assert (told["status"], told["jobName"]) == ("SUCCESS", "nightly")
    assert told["repositoryOrigin"] == {
        "repositoryLocationName": "shop",
        "repositoryName": "__repository__",
    }
    tags = {tag["key"]: tag["value"] for tag in told["tags"]}
    assert tags["dagster/code_location"] == "shop"
    assert (tags["team"], tags["codelocd/run"]) == ("a", str(run["id"]))
    launched = shown.launch("shop", "nightly")
    shown.until(lambda: shown.status(launched) == "SUCCESS")
    assert events_of(told_by(shown, launched)) <= events_of(told)
    assets = start(shown, "orders", wait=True)["run"]
    assert assets["state"] == "succeeded"
    with shown.dev.client() as client:
        again = client.call("run_retry", {"id": run["id"]})["id"]
    again = ended(shown, again)["dagster_run"]
    group = shown.ask(GROUP, id=again)["runGroupOrError"]
    first = run["dagster_run"]
    assert (group["rootRunId"], {each["runId"] for each in group["runs"]}) == (
        first,
        {first, again},
    )


def test_terminate_on_the_page_and_a_kill_are_seen_on_both_sides(shown):
    number = start(shown, "wait")["id"]
    begun = shown.until(lambda: started(shown, number))
    shown.terminate(begun["dagster_run"])
    assert ended(shown, number)["state"] == "cancelled"
    assert shown.status(begun["dagster_run"]) == "CANCELED"

    number = start(shown, "wait")["id"]
    begun = shown.until(lambda: started(shown, number))
    clock = time.monotonic()
    os.kill(begun["attempts"][-1]["pid"], signal.SIGKILL)
    shown.until(lambda: shown.status(begun["dagster_run"]) == "FAILURE")
    seconds = time.monotonic() - clock
    assert seconds < TOLD_SECONDS
    run = ended(shown, number)
    assert (run["state"], run["why"]) == ("failed", "signal")

    number = start(shown, "wait")["id"]
    begun = shown.until(lambda: started(shown, number))
    with shown.dev.client() as client:
        client.call("run_cancel", {"id": number})
    assert ended(shown, number)["state"] == "cancelled"
    assert shown.status(begun["dagster_run"]) == "CANCELED"


def test_a_run_whose_daemon_is_killed_is_told_by_the_next_one(project, declare, dev, monkeypatch):
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("DAGSTER_HOME", str(project / "home"))
    declare(shop="newest")
    (project / "shop.py").write_text(JOBS.replace("EXECUTOR", "in_process_executor"))
    first = dev()
    first.until_serving("shop")
    with first.client() as client:
        number = client.call("run", {"location": "shop", "names": ["wait"]})["id"]
        begun = begun_in(client, number)
    assert status_in(project / "home", begun["dagster_run"]) == "STARTED"
    first.stop(signal.SIGKILL)
    second = dev()
    second.until_serving("shop")
    wait_for(lambda: status_in(project / "home", begun["dagster_run"]) == "FAILURE")
    with second.client() as client:
        assert client.call("run_show", {"id": number})["run"]["state"] == "lost"


def test_an_end_that_a_killed_daemon_had_not_told_yet_is_told_by_the_next_one(
    project, declare, dev, monkeypatch
):
    """The end is in the book of runs; Dagster can write nothing before the next daemon is there."""
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("DAGSTER_HOME", str(project / "home"))
    declare(shop="newest")
    (project / "shop.py").write_text(JOBS.replace("EXECUTOR", "in_process_executor"))
    first = dev()
    first.until_serving("shop")
    with first.client() as client:
        number = client.call("run", {"location": "shop", "names": ["wait"]})["id"]
        begun = begun_in(client, number)
        runs = sqlite3.connect(project / "home" / "history" / "runs.db", isolation_level=None)
        with contextlib.closing(runs):
            wait_for(lambda: locked(runs))
            os.kill(begun["attempts"][-1]["pid"], signal.SIGKILL)
            (book,) = Path(first.environ["XDG_STATE_HOME"]).glob("**/runs/book.sqlite")
            wait_for(lambda: has_ended(book, number))
            first.stop(signal.SIGKILL)
            assert status_in(project / "home", begun["dagster_run"]) == "STARTED"
    second = dev()
    second.until_serving("shop")
    wait_for(lambda: status_in(project / "home", begun["dagster_run"]) == "FAILURE")
    with second.client() as client:
        assert client.call("run_show", {"id": number})["run"]["why"] == "signal"


def test_a_run_without_a_daemon_has_failed_where_its_command_is_killed(
    project, declare, tmp_path, monkeypatch
):
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(CACHE))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("DAGSTER_HOME", str(project / "home"))
    (project / "home").mkdir()
    declare(shop="newest")
    (project / "shop.py").write_text(JOBS.replace("EXECUTOR", "in_process_executor"))
    words: list[str | Path] = [CODELOCD, "run", "--here", "wait", "--events"]
    command = subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True)
    try:
        assert command.stdout is not None
        told = (json.loads(line) for line in command.stdout)
        run = next(each["id"] for each in told if each["event"] == "dagster_run")
        next(each for each in told if each["event"] == "step" and each["state"] == "started")
        assert status_in(project / "home", run) == "STARTED"
    finally:
        command.kill()
        command.communicate()
    wait_for(lambda: status_in(project / "home", run) == "FAILURE")
    wait_for(lambda: not list(own.glob("codelocd-run-*")))


def has_ended(book: Path, number: int) -> bool:
    """On the disk, so that the next daemon knows, too."""
    run = LeftBook(book).run(number)
    return run is not None and run.ended is not None


def locked(database: sqlite3.Connection) -> bool:
    """From now on no other connection can write, if so."""
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def begun_in(client: Any, number: int) -> dict[str, Any]:
    """The run, once a step of it goes on."""
    found = wait_for(lambda: begun_step(client, number))
    assert found is not None
    return found


def begun_step(client: Any, number: int) -> dict[str, Any] | None:
    run: dict[str, Any] = client.call("run_show", {"id": number})["run"]
    assert run["ended"] is None, run
    return run if run["steps"] else None


def status_in(home: Path, run: str) -> str | None:
    """As the instance has it."""
    with sqlite3.connect(home / "history" / "runs.db") as connection:
        row = connection.execute("select status from runs where run_id = ?", (run,)).fetchone()
    return None if row is None else str(row[0])


def test_dagsters_schedules_are_listed_and_not_ticked(project, declare, dev, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(project / "home"))
    declare(shop="newest")
    (project / "shop.py").write_text(JOBS.replace("EXECUTOR", "in_process_executor"))
    started = dev("--tick")
    started.until_serving("shop")
    with started.client() as client:
        (listed,) = client.call("schedules")["schedules"]
        assert (listed["ticks"], "Dagster" in listed["why"]) == (False, True)
        assert client.call("runs")["runs"] == []


def started(page: Page, number: int) -> dict[str, Any] | None:
    """The run, once Dagster says that its step goes on."""
    with page.dev.client() as client:
        run: dict[str, Any] = client.call("run_show", {"id": number})["run"]
    if run["steps"] and page.status(run["dagster_run"]) == "STARTED":
        return run
    return None
