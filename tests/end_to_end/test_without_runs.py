"""A daemon that runs nothing has nothing of runs: no module, no file, no thread."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from codelocd.daemon.runs.output import RunOutputs
from codelocd.daemon.subscriptions import Hub
from tests.end_to_end.daemons import Dev, native, serving

RUNS = "codelocd.daemon.runs"
THIN = {RUNS, *(f"{RUNS}.{name}" for name in ("base", "methods", "opening", "output", "starters"))}
"""What knows that there is nothing."""
NEVER = ("codelocd.runs", "sqlite3", "_sqlite3", "cronsim")
TOLD = "schedules and sensors start nothing: dev does not tick; start it with --tick"
SCHEDULE = """
from codeloc import Definitions, asset, job, schedule

@asset
def {asset}(): ...

@job
def report(): ...

@schedule(cron="* * * * *", job=report)
def minutely(): ...

defs = Definitions(assets=[{asset}], jobs=[report], schedules=[minutely])
"""


def test_a_daemon_without_runs_has_nothing_of_them(project: Path, tmp_path: Path) -> None:
    """Also with a schedule, which does not tick under `dev`."""
    (project / "sales.py").write_text(native("first"))
    listed = (sys.executable, "-X", "importtime")
    daemon = Dev(project, tmp_path / "home", ("-f", "sales.py"), listed)
    try:
        daemon.until_serving("sales")
        _look_around(daemon)
        _save(daemon, project, native("second"))
        _save(daemon, project, SCHEDULE.format(asset="third"))
        daemon.until_printed(TOLD)
        _save(daemon, project, SCHEDULE.format(asset="fourth"))
        _look_around(daemon)
    finally:
        assert daemon.stop() == 0
    imported = {line.rpartition("|")[2].strip() for line in daemon.printed if " | " in line}
    assert "codelocd.daemon.application" in imported
    assert {name for name in imported if f"{name}.".startswith(f"{RUNS}.")} <= THIN
    assert not [name for name in imported if f"{name}.".startswith(tuple(f"{n}." for n in NEVER))]
    assert not [*(tmp_path / "home" / "state").rglob("runs"), *project.rglob("runs")]
    assert len([line for line in daemon.printed if TOLD in line]) == 1


def _look_around(daemon: Dev) -> None:
    """What clients ask of a daemon that need not have run anything."""
    with daemon.client() as client:
        for method in ("hello", "status", "definitions", "logs", "events"):
            client.call(method)
        client.call("show", {"location": "sales", "name": _newest(daemon)})
        first = next(iter(client.subscribe(["status", "definitions", "runs", "run_logs"])))
        assert first["data"] is not None


def _newest(daemon: Dev) -> str:
    return next(each for each in daemon.definitions("sales") if each.startswith("asset "))[6:]


def _save(daemon: Dev, project: Path, code: str) -> None:
    before = daemon.entry("sales")["generation"]
    (project / "sales.py").write_text(code)
    daemon.until("sales", lambda each: serving(each) and each["generation"] > before)


def test_what_every_daemon_has_for_the_output_of_runs_needs_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    outputs = RunOutputs(Hub("an instance"), tmp_path / "runs" / "logs")
    assert threading.active_count() == before
    outputs.logs.close()
    assert not [*tmp_path.iterdir()]
