"""`[notify]`: a command and an address that a real service tells of trouble."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import commands
from tests.end_to_end.daemons import Service, native, stale, wait_for

CONFIG = """
[daemon]
log_format = "json"

[notify]
command = ["sh", "-c", "cat >> {told}; echo >> {told}; test $CODELOCD_LOCATION = sales || exit 3"]
url = "{url}"

[location.sales]
python_file = "sales.py"
[location.other]
python_file = "other.py"
"""


class Receiver(HTTPServer):
    """Takes what is posted, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base's name
        """No word on stderr."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    yield receiver
    receiver.shutdown()
    thread.join()
    receiver.server_close()


def test_command_and_address_are_told_of_a_stale_and_of_a_failed_location(
    project: Path, tmp_path: Path, receiver: Receiver
) -> None:
    told = tmp_path / "told"
    (project / "codelocd.toml").write_text(CONFIG.format(told=told, url=receiver.url))
    (project / "sales.py").write_text(native("one"))
    (project / "other.py").write_text("this is no python")
    service = Service(project, tmp_path)
    try:
        service.told(b"READY=1")
        service.until_serving("sales")
        (project / "sales.py").write_text("neither is this")
        service.until("sales", stale)
        wait_for(lambda: len(receiver.got) == 2)
        failed, is_stale = sorted(receiver.got, key=lambda each: str(each["location"]))
        assert (failed["location"], failed["event"]) == ("other", "failed")
        assert "SyntaxError" in failed["summary"]
        assert (is_stale["location"], is_stale["event"]) == ("sales", "stale")
        assert is_stale["before"] == "well"
        wait_for(lambda: told.read_text().count('"event"') == 2)
        why = service.until_logged("[notify] command: sh ended with status 3: ")
        assert why["level"] == "warning"
    finally:
        service.stop()


def test_a_deploy_that_fails_and_leaves_what_serves_is_no_news(
    project: Path, tmp_path: Path, receiver: Receiver
) -> None:
    (project / "codelocd.toml").write_text(CONFIG.format(told=tmp_path / "told", url=receiver.url))
    for name in ("sales", "other"):
        (project / f"{name}.py").write_text(native("one"))
    source = tmp_path / "source"
    source.mkdir()
    (source / "sales.py").write_text("this is no python")
    service = Service(project, tmp_path)
    try:
        service.told(b"READY=1")
        service.until_serving("sales", "other")
        given = ("deploy", "sales", "--source", str(source))
        assert commands.run(given, cwd=project, environ=service.environ).returncode == 1
        (project / "other.py").write_text("neither is this")
        wait_for(lambda: receiver.got)
        assert [each["location"] for each in receiver.got] == ["other"]
    finally:
        service.stop()
