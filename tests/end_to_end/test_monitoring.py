"""Metrics and health of a real service, scraped as monitoring does."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.daemons import DEADLINE, Service, failed, native, serving, wait_for

CONFIG = """
[daemon]
log_format = "json"

[metrics]
port = {port}

[location.sales]
python_file = "sales.py"

[location.broken]
python_file = "broken.py"
"""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class OverUnix(http.client.HTTPConnection):
    """HTTP at a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("codelocd", timeout=DEADLINE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(str(self._path))


class Monitored(Service):
    """A service with a port for metrics, and its two addresses."""

    def __init__(self, project: Path, home: Path) -> None:
        self.project = project
        self.port = free_port()
        (project / "codelocd.toml").write_text(CONFIG.format(port=self.port))
        super().__init__(project, home)
        self.unix = home / "run" / "metrics.sock"
        self.told(b"READY=1")

    def get(self, address: str, **headers: str) -> tuple[int, str, str]:
        """(status, content type, body)"""
        connection = OverUnix(self.unix)
        connection.request("GET", address, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read().decode()

    def at_port(self, address: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        connection.request(method, address, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def samples(self) -> Samples:
        _, _, text = self.get("/metrics")
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"codelocd_{name}", frozenset(labels.items())]


def started(folder: Path) -> Monitored:
    project = folder / "project"
    project.mkdir()
    (project / "sales.py").write_text(native("one", "two"))
    (project / "broken.py").write_text("this is no python")
    return Monitored(project, folder)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    """One for all that leave `sales` as it is, but for what counts its restarts."""
    service = started(tmp_path_factory.mktemp("monitored"))
    service.until("sales", serving)
    service.until("broken", failed)
    yield service
    service.stop()


def test_metrics_tell_what_happened_to_each_location(service: Monitored) -> None:
    (service.project / "sales.py").write_text(native("one", "two", "three"))
    service.until("sales", lambda entry: entry["definitions"]["asset"] == 3)
    os.kill(service.entry("sales")["pid"], signal.SIGKILL)
    service.until("sales", lambda entry: entry["restarts"] == 1 and serving(entry))
    found = service.samples()
    assert value(found, "location_state", location="sales", state="serving") == 1
    assert value(found, "location_state", location="sales", state="failed") == 0
    assert value(found, "location_state", location="broken", state="failed") == 1
    assert value(found, "location_restarts_total", location="sales", reason="crash") == 1
    assert value(found, "location_loads_total", location="sales", outcome="served") == 3
    assert value(found, "location_loads_total", location="broken", outcome="failed") >= 1
    assert value(found, "definitions", location="sales", kind="asset") == 3
    assert value(found, "location_source_changes_total", location="sales") >= 1
    assert value(found, "watch_events_total") >= 1
    assert value(found, "reload_duration_seconds_count", location="sales") == 1
    assert value(found, "location_memory_bytes", location="sales") > 1_000_000
    assert value(found, "location_last_good_load_timestamp_seconds", location="sales") > 1.7e9
    assert value(found, "location_log_dropped_bytes_total", location="sales") == 0
    assert value(found, "requests_total", method="subscribe", outcome="ok") >= 1
    starts = [key for key in found if key[0] == "codelocd_runner_start_duration_seconds_count"]
    assert sum(found[key] for key in starts) == 3
    builds = [key for key in found if key[0] == "codelocd_environment_duration_seconds_count"]
    assert sum(found[key] for key in builds) >= 2


def test_a_method_that_a_client_made_up_gets_no_series_of_its_own(service: Monitored) -> None:
    with service.client() as client, pytest.raises(Exception, match="there is no method"):
        client.call("made-up")
    assert value(service.samples(), "requests_total", method="other", outcome="unknown") == 1
    assert "made-up" not in service.get("/metrics")[2]


def test_a_scraper_gets_open_metrics_if_it_asks(service: Monitored) -> None:
    accepted = "application/openmetrics-text; version=1.0.0"
    _, content_type, text = service.get("/metrics", Accept=accepted)
    assert content_type.startswith("application/openmetrics-text")
    names = [each.name for each in openmetrics_parser.text_string_to_metric_families(text)]
    assert "codelocd_location_state" in names


def test_ready_is_when_all_that_is_wanted_serves(service: Monitored) -> None:
    assert service.get("/livez")[0] == 200
    assert service.get("/readyz")[::2] == (503, "broken is failed\n")
    assert service.get("/readyz?location=sales")[::2] == (200, "ok\n")
    assert service.get("/readyz?location=salse")[::2] == (404, "there is no location salse\n")
    with service.client() as client:
        client.call("stop", {"locations": ["broken"]})
    assert service.get("/readyz")[::2] == (200, "ok\n")
    with service.client() as client:
        client.call("start", {"locations": ["broken"]})
    service.until("broken", failed)


def test_the_port_answers_those_alone_who_call_it_by_its_name(service: Monitored) -> None:
    assert service.at_port("/livez") == (200, "ok\n")
    assert service.at_port("/livez", Host=f"localhost:{service.port}")[0] == 200
    assert service.at_port("/livez", Host="elsewhere.example")[0] == 403
    assert service.at_port("/livez", method="POST")[0] == 405
    assert service.at_port("/livez", method="HEAD") == (200, "")
    assert service.at_port("/status")[0] == 404


def test_what_speaks_no_http_takes_nothing_from_others(service: Monitored) -> None:
    idle = [socket.create_connection(("127.0.0.1", service.port), DEADLINE) for _ in range(40)]
    with socket.create_connection(("127.0.0.1", service.port), DEADLINE) as refused:
        assert refused.recv(1) == b""  # so many are open that this one is closed at once
    for each in idle:
        each.sendall(b"\x00\x01\r\n\r\n")
        each.close()
    wait_for(lambda: service.get("/livez")[0] == 200)


def test_the_socket_is_its_users_alone_and_made_again(service: Monitored) -> None:
    assert service.unix.stat().st_mode & 0o777 == 0o600
    service.unix.unlink()
    wait_for(service.unix.exists)
    assert service.get("/livez")[0] == 200


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    service = started(tmp_path)
    assert service.stop() == 0
    assert not service.unix.exists()
    with pytest.raises(ConnectionRefusedError):
        service.at_port("/livez")


def test_a_port_that_is_taken_ends_no_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(f"{__name__}.free_port", lambda: port)
        service = started(tmp_path)
        assert service.get("/livez")[0] == 200
        why = "Address already in use; name another [metrics] port"
        service.until_logged(f"no metrics at 127.0.0.1:{port}: {why}")
        assert service.stop() == 0


def test_a_daemon_that_is_not_scraped_does_not_import_the_library() -> None:
    code = (
        "import sys, codelocd.daemon.service, codelocd.daemon.metrics.endpoint as endpoint\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "__import__(endpoint.EXPOSITION)\n"
        "assert 'prometheus_client' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
