"""`codelocd serve`: the same daemon as a service."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CACHE, CODELOCD, DEADLINE, native

CONFIG = """
[daemon]
log_format = "json"

[location.sales]
python_file = "defs.py"
"""


class Service:
    """A service whose service manager is the test."""

    def __init__(self, project: Path, home: Path) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(home / "notify"))
        self.manager.settimeout(DEADLINE)
        runtime = home / "run"
        runtime.mkdir(mode=0o700)
        self.environ = os.environ | {
            "NOTIFY_SOCKET": str(home / "notify"),
            "RUNTIME_DIRECTORY": str(runtime),
            "STATE_DIRECTORY": str(home / "state"),
            "XDG_DATA_HOME": str(CACHE),
            "CODELOCD_SOCKET": str(runtime / "control.sock"),
        }
        self.process = subprocess.Popen(
            [CODELOCD, "serve", "--user", "-c", str(project / "codelocd.toml")],
            env=self.environ,
            cwd="/",
            stdout=subprocess.PIPE,
            text=True,
        )

    def until_logged(self, event: str) -> dict[str, str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            entry: dict[str, str] = json.loads(line)
            if entry["event"] == event:
                return entry
        raise AssertionError(f"{event!r} was not logged")

    def told(self, word: bytes) -> None:
        """Returns when the manager has been told."""
        while not self.manager.recv(1000).startswith(word):
            continue

    def stop(self) -> int:
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE)
        self.manager.close()
        return self.process.returncode


@pytest.fixture
def service(project: Path, tmp_path: Path) -> Iterator[Service]:
    (project / "codelocd.toml").write_text(CONFIG)
    (project / "defs.py").write_text(native("one"))
    service = Service(project, tmp_path)
    yield service
    if service.process.poll() is None:
        service.stop()


def test_a_service_says_when_it_is_ready_and_when_it_stops(service: Service) -> None:
    service.told(b"READY=1")
    service.process.send_signal(signal.SIGTERM)
    service.told(b"STOPPING=1")
    assert service.stop() == 0


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
    status = subprocess.run(
        [CODELOCD, "status", "--json"],
        env=service.environ,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
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
