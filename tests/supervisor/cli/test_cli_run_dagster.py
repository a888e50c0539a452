"""`codelocd run` of Dagster's definitions, without a daemon of any kind."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.commands import DEADLINE
from tests.supervisor.cli.fake_control import Shell

DEFS = """
import time
import dagster as dg

@dg.asset
def orders(context):
    context.log.info("counted")
    return dg.Output(1, metadata={"rows": 3})

@dg.asset_check(asset=orders)
def fresh():
    return dg.AssetCheckResult(passed=False, description="3 days old")

@dg.op(config_schema={"day": str})
def take(context):
    print("takes", context.op_config["day"])

@dg.job
def refresh():
    take()

@dg.op
def stay():
    print("waits", flush=True)
    time.sleep(1000)

@dg.job
def wait():
    stay()

defs = dg.Definitions(
    assets=[orders], asset_checks=[fresh], jobs=[refresh, wait], executor=dg.in_process_executor
)
"""


@pytest.fixture
def shop(used_shell: Shell, dagster_environment: Any) -> Shell:
    environment = dagster_environment("newest")
    (used_shell.folder / "codelocd.toml").write_text(
        f'[location.shop]\npython_file = "defs.py"\nenvironment = {{ path = "{environment}" }}\n'
    )
    (used_shell.folder / "defs.py").write_text(DEFS)
    (used_shell.folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return used_shell


def history(shop: Shell) -> Path:
    """Of the instance in the folder of the project's state."""
    (home,) = Path(shop.environ["HOME"]).glob(".local/state/codelocd/daemons/*/dagster")
    assert (home / "dagster.yaml").samefile(shop.folder / "dagster.yaml")
    return home / "history"


def test_an_asset_is_made_and_a_check_that_fails_is_exit_1(shop: Shell) -> None:
    done = shop.run("run", "--here", "orders", "--json")
    assert done.returncode == 1, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    (step,) = document["steps"]
    assert (document["state"], document["why"]) == ("failed", "check")
    assert (step["name"], step["state"], step["metadata"]["rows"]) == ("orders", "succeeded", 3)
    assert step["checks"][0]["summary"] == "3 days old"
    assert "counted" in done.stderr
    assert (history(shop) / "runs" / f"{document['dagster_run']}.db").exists()


@pytest.mark.slow
def test_a_run_config_is_json_or_a_file_and_what_does_not_fit_is_one_line(shop: Shell) -> None:
    (shop.folder / "monday.yaml").write_text("ops: {take: {config: {day: monday}}}\n")
    given = shop.run("run", "--here", "refresh", "--run-config", "monday.yaml")
    assert (given.returncode, "takes monday" in given.stdout) == (0, True), given.stderr
    refused = shop.run("run", "--here", "refresh", "--run-config", '{"ops": {"no": {}}}')
    assert refused.returncode == 2
    assert "codelocd: " in refused.stderr.splitlines()[-1] or "no" in refused.stderr
    param = shop.run("run", "--here", "refresh", "--param", "day=x")
    assert (param.returncode, "--run-config" in param.stderr) == (2, True)
    for text in ("missing.yaml", "{", "[1]"):
        broken = shop.run("run", "--here", "refresh", "--run-config", text)
        assert (broken.returncode, len(broken.stderr.splitlines())) == (2, 1), broken.stderr


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_no_run_that_goes_on(shop: Shell) -> None:
    process = shop.start("run", "--here", "wait", "--events")
    assert process.stdout is not None
    attempt, run = None, None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "begun":
            attempt = psutil.Process(event["pid"])
        if event["event"] == "dagster_run":
            run = event["id"]
        if event["event"] == "step" and attempt is not None:
            os.kill(attempt.pid, signal.SIGKILL)
            break
    last = json.loads(process.communicate(timeout=DEADLINE)[0].splitlines()[-1])
    assert (last["run"]["why"], last["run"]["dagster_run"]) == ("signal", run)
    with sqlite3.connect(history(shop) / "runs.db") as connection:
        (found,) = connection.execute("select status from runs where run_id = ?", (run,)).fetchone()
    assert found == "FAILURE"
