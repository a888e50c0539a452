"""`codelocd serve`: the same daemon as a service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import commands
from tests.end_to_end.daemons import DEADLINE, Service, native

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


def test_promise_27_a_service_says_when_it_answers_what_serves_and_when_it_stops(
    service: Service,
) -> None:
    """The store of the manager (FDSTORE=1) was decided against, see docs/design.md."""
    told = [service.manager.recv(1000)]
    while told[-1] != b"READY=1":
        told.append(service.manager.recv(1000))
    with socket.socket(socket.AF_UNIX) as waiting_for_nothing:
        waiting_for_nothing.connect(service.environ["CODELOCD_SOCKET"])
    while told[-1] != b"STATUS=1 location: 1 serving":
        told.append(service.manager.recv(1000))
    with service.client() as client:
        client.call("stop", {"locations": ["sales"]})
    while told[-1] != b"STATUS=1 location: 1 stopped":
        told.append(service.manager.recv(1000))
    service.process.send_signal(signal.SIGTERM)
    while told[-1] != b"STOPPING=1":
        told.append(service.manager.recv(1000))
    assert service.stop() == 0
    assert not [each for each in told if b"FDSTORE" in each]


def test_promise_27_a_reload_begins_and_ends_with_a_word(service: Service, project: Path) -> None:
    service.told(b"READY=1")
    for text in ("[location.sales]\npython_fil = 1\n", CONFIG.replace("sales", "renamed")):
        (project / "codelocd.toml").write_text(text)
        service.process.send_signal(signal.SIGHUP)
        service.told(b"RELOADING=1\nMONOTONIC_USEC=")
        service.told(b"READY=1")
    service.process.send_signal(signal.SIGUSR2)
    service.told(b"RELOADING=1\nMONOTONIC_USEC=")  # the code that is installed takes over
    service.told(b"READY=1")


def test_an_upgrade_is_refused_while_the_new_code_could_not_read_its_config(
    service: Service, project: Path
) -> None:
    service.told(b"READY=1")
    (project / "codelocd.toml").write_text("[location.sales]\npython_fil = 1\n")
    done = commands.run(["upgrade"], cwd="/", environ=service.environ)
    assert done.returncode == 2, done.stderr
    assert "the new code could not start" in done.stderr
    assert "codelocd.toml:2: location.sales.python_fil: unknown key" in done.stderr
    assert service.entry("sales")["name"] == "sales"


BLOCKED = """
import os, sys, time
from codelocd.daemon.control import Control
status = Control.status
def blocked(*arguments):
    while os.path.exists("{gate}"):
        time.sleep(0.01)
    return status(*arguments)
Control.status = blocked
from codelocd.cli import main
sys.exit(main())
"""


def test_promise_27_signs_of_life_come_from_the_loop_that_does_the_work(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("one"))
    gate = tmp_path / "gate"
    service = Service(project, tmp_path, [sys.executable, "-c", BLOCKED.format(gate=gate)])
    try:
        service.told(b"STATUS=1 location: 1 serving")
        for _ in range(3):
            service.told(b"WATCHDOG=1")
        gate.touch()
        with service.client() as client, ThreadPoolExecutor(1) as asking:
            asked = asking.submit(client.call, "status")
            service.manager.settimeout(2)  # forty times as long as it takes while the loop turns
            with pytest.raises(TimeoutError):
                service.told(b"never")
            gate.unlink()
            service.manager.settimeout(DEADLINE)
            service.told(b"WATCHDOG=1")
            assert asked.result(DEADLINE)["locations"]
    finally:
        gate.unlink(missing_ok=True)
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


def test_a_service_whose_output_no_process_reads_serves_and_ends(
    project: Path, tmp_path: Path
) -> None:
    """Its stdout and stderr are one pipe that is full from the beginning."""
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("one"))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    service = Service(project, tmp_path, output=writing)
    try:
        service.told(b"STATUS=1 location: 1 serving")
        with service.client() as client:
            client.call("restart", {"locations": ["sales"]})
        assert service.entry("sales")["generation"] == 2
        service.process.terminate()
        assert service.process.wait(DEADLINE) == 0
    finally:
        service.process.kill()
        service.process.wait()
        service.manager.close()
        os.close(reading)
        os.close(writing)
