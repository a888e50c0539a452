"""Schedules of Dagster's are ticked by Dagster's daemon alone, though codelocd serves the code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemons import DEADLINE, Service, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MINUTES = 3
SOURCE = """
import dagster as dg

@dg.op
def effect(): ...

@dg.job(executor_def=dg.in_process_executor)
def nightly():
    effect()

always = dict(cron_schedule="* * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)

@dg.schedule(job=nightly, **always)
def minutely(context):
    return dg.RunRequest()

defs = dg.Definitions(jobs=[nightly], schedules=[minutely])
"""
TABLE = """
[daemon]
log_format = "json"
[dagster]
serve = true
page = false
"""
FOLLOWED = """
import json, sys, time
from dagster import DagsterInstance

END = ("SUCCESS", "FAILURE", "CANCELED")
with DagsterInstance.get() as instance:
    while True:
        runs = [
            (run.tags[".dagster/scheduled_execution_time"], run.status.value)
            for run in instance.get_runs()
        ]
        if len({time for time, _ in runs}) >= int(sys.argv[1]) and all(s in END for _, s in runs):
            print(json.dumps(sorted(runs)))
            break
        time.sleep(1)
"""
"""Prints the time and the state of each run as soon as there are runs of so many minutes."""


@contextmanager
def dagster_daemon(bin_folder: Path, workspace: str, environ: dict[str, str]) -> Iterator[None]:
    command = [str(bin_folder / "dagster-daemon"), "run", "-w", workspace]
    daemon = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    try:
        yield
        assert daemon.poll() is None
    finally:
        daemon.terminate()
        daemon.wait(DEADLINE)


def test_each_minute_is_one_run_of_dagsters_and_none_of_ours(
    project: Path,
    declare: Callable[..., None],
    dagster_environment: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instance, binaries = tmp_path / "instance", dagster_environment("newest") / "bin"
    instance.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(instance))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    declare(shop="newest")
    (project / "shop.py").write_text(SOURCE)
    config = project / "codelocd.toml"
    config.write_text(TABLE + config.read_text())
    service = Service(project, tmp_path)
    try:
        service.told(b"READY=1")
        workspace = wait_for(lambda: workspace_of(service))
        with dagster_daemon(binaries, workspace, service.environ):
            command = [str(binaries / "python"), "-c", FOLLOWED, str(MINUTES)]
            followed = subprocess.run(
                command, env=service.environ, capture_output=True, check=True, timeout=600
            )
        check_dagsters(json.loads(followed.stdout))
        check_ours(service, tmp_path / "state")
    finally:
        service.stop()


def workspace_of(service: Service) -> str:
    about: dict[str, Any] = service.status()["daemon"]["dagster"]
    there = set(about["servers"]) == {"shop"} and Path(about["workspace"]).exists()
    return str(about["workspace"]) if there else ""


def check_dagsters(runs: list[tuple[str, str]]) -> None:
    """Each minute once, one after the other."""
    times = [time[:16] for time, _ in runs]
    assert len(set(times)) == len(times) >= MINUTES
    assert {state for _, state in runs} == {"SUCCESS"}


def check_ours(service: Service, state: Path) -> None:
    with closing(service.client()) as client:
        (schedule,) = client.call("schedules", {"ticks": 10})["schedules"]
        assert client.call("runs", {})["runs"] == []
    assert (schedule["name"], schedule["enabled"], schedule["ticks"]) == ("minutely", True, False)
    assert schedule["why"] == "Dagster's daemon ticks it"
    assert (schedule["next"], schedule["last"], schedule["newest"]) == (None, None, [])
    assert not [*state.rglob("runs"), *state.rglob("book*")]
