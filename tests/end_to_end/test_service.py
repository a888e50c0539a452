"""`codelocd serve`: the same daemon as a service."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.end_to_end.daemons import Service, native

CONFIG = """
[daemon]
log_format = "json"

[location.sales]
python_file = "defs.py"
"""


@pytest.fixture
def service(project: Path, tmp_path: Path) -> Iterator[Service]:
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("one"))
    service = Service(project, tmp_path)
    yield service
    if service.process.poll() is None:
        service.stop()


def test_promise_27_a_service_says_when_it_is_ready_and_when_it_stops(service: Service) -> None:
    service.told(b"READY=1")
    service.process.send_signal(signal.SIGTERM)
    service.told(b"STOPPING=1")
    assert service.stop() == 0


def test_no_signal_ends_a_service_without_a_word(service: Service) -> None:
    service.told(b"READY=1")
    for number in (signal.SIGUSR1, signal.SIGALRM):
        service.process.send_signal(number)
        ignored = f"{number.name} was ignored: it means nothing here; SIGTERM ends the daemon"
        service.until_logged(ignored)
    service.process.send_signal(signal.SIGQUIT)
    service.until_logged("SIGQUIT ends the daemon at once, and kills what it runs")
    assert service.stop() == 0


def test_code_in_a_service_is_not_told_that_it_is_in_development(
    service: Service, project: Path
) -> None:
    service.until_logged("loaded")
    command = ["-c", "import os; print(os.environ.get('DAGSTER_IS_DEV_CLI'))"]
    done = commands.run(
        ["exec", "sales", "--", "python", *command], cwd=project, environ=service.environ
    )
    assert done.stdout == "None\n", done.stderr


def test_every_change_of_a_location_is_one_json_line_in_the_log(
    service: Service, project: Path
) -> None:
    entry = service.until_logged("loaded")
    assert (entry["location"], entry["state"], entry["level"]) == ("sales", "serving", "info")
    (project / "defs.py").write_text("this is no python")
    entry = service.until_logged("load-failed")
    assert entry["level"] == "warning"
    assert "SyntaxError" in entry["detail"]
    assert "this is no python" in entry["problem"]


def test_a_saved_config_waits_for_sighup(service: Service, project: Path) -> None:
    service.until_logged("loaded")
    (project / "codelocd.toml").write_text(CONFIG.replace("sales", "renamed"))
    service.process.send_signal(signal.SIGHUP)
    assert service.until_logged("loaded")["location"] == "renamed"
    status = commands.run(["status", "--json"], cwd="/", environ=service.environ)
    assert [each["name"] for each in json.loads(status.stdout)["locations"]] == ["renamed"]


def test_a_broken_config_changes_nothing_and_says_why(service: Service, project: Path) -> None:
    service.until_logged("loaded")
    (project / "codelocd.toml").write_text("[location.sales]\npython_fil = 'defs.py'\n")
    service.process.send_signal(signal.SIGHUP)
    assert service.process.stdout is not None
    line = json.loads(service.process.stdout.readline())
    assert line["level"] == "warning"
    assert "the config is not applied" in line["event"]
    assert "python_file" in line["event"]
