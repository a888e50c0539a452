"""Traces of loads, as a collector of OpenTelemetry receives them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from codelocd.daemon import traces
from tests.end_to_end.daemons import Service, native, serving, stale, wait_for

CONFIG = """
[daemon]
log_format = "json"

[telemetry]
otlp = "{address}"

[location.sales]
python_file = "sales.py"
"""


class Collector:
    """Takes what is sent to /v1/traces."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces":
                    collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *_words: object) -> None: ...  # noqa: A002

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for each in request.resource_spans:
            self.resource |= {a.key: a.value.string_value for a in each.resource.attributes}
            for scope in each.scope_spans:
                self.spans += scope.spans

    def roots(self) -> list[Span]:
        return sorted(
            (span for span in self.spans if not span.parent_span_id),
            key=lambda span: span.start_time_unix_nano,
        )

    def children(self, root: Span) -> list[Span]:
        return [span for span in self.spans if span.parent_span_id == root.span_id]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.server.shutdown()


def started(folder: Path, address: str) -> Service:
    project = folder / "project"
    project.mkdir()
    (project / "codelocd.toml").write_text(CONFIG.format(address=address))
    (project / "sales.py").write_text(native("one"))
    service = Service(project, folder)
    service.told(b"READY=1")
    service.until("sales", serving)
    return service


def facts(span: Span) -> dict[str, object]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


def test_each_load_is_a_trace_with_its_parts(tmp_path: Path, collector: Collector) -> None:
    service = started(tmp_path, collector.address)
    file = tmp_path / "project" / "sales.py"
    file.write_text(native("one", "two"))
    service.until("sales", lambda entry: serving(entry) and entry["definitions"]["asset"] == 2)
    file.write_text("def broken(")
    service.until("sales", stale)
    assert service.stop() == 0  # what is left is sent at the end

    first, reload, broken = collector.roots()
    assert [each.name for each in (first, reload, broken)] == ["load", "reload", "reload"]
    assert collector.resource["service.name"] == "codelocd"
    assert facts(reload)["codelocd.location"] == "sales"
    assert facts(reload)["codelocd.by"] == "file"
    assert facts(reload)["codelocd.added"] == 1
    assert "environment" in {span.name for span in collector.children(first)}
    parts = collector.children(reload)
    assert {"notice", "decide", "start", "import", "takeover"} <= {span.name for span in parts}
    for span in parts:
        assert reload.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= reload.end_time_unix_nano
    assert broken.status.code == Status.STATUS_CODE_ERROR
    assert "was never closed" in broken.status.message
    assert reload.status.code == Status.STATUS_CODE_UNSET


def test_a_collector_that_is_down_is_one_warning_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")  # else it tries again for ten seconds
    collector = Collector()
    collector.server.shutdown()
    collector.server.server_close()
    service = started(tmp_path, collector.address)
    beginning = f"traces are lost: {collector.address} does not take them"
    assert service.process.stdout is not None
    wait_for(lambda: beginning in service.process.stdout.readline())  # type: ignore[union-attr]
    file = tmp_path / "project" / "sales.py"
    file.write_text(native("one", "two"))
    service.until("sales", lambda entry: serving(entry) and entry["definitions"]["asset"] == 2)
    service.process.terminate()
    rest, _ = service.process.communicate(timeout=60)
    assert service.process.returncode == 0
    assert beginning not in rest
    service.manager.close()


async def test_without_the_extra_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(traces, "SENDER", "no_such_module")
    said: list[str] = []
    sending = traces.Traces("http://127.0.0.1:4318", "instance", said.append)
    opening = sending._opening
    assert opening is not None
    await opening
    await sending.close()
    extra = "install codelocd[otel], the extra for them"
    assert said == [f"no traces: No module named 'no_such_module'; {extra}"]


def test_a_daemon_without_a_collector_imports_nothing_for_it() -> None:
    code = (
        "import sys, codelocd.daemon.service\n"
        "assert not {'opentelemetry', 'codelocd.daemon.traces'} & {*sys.modules}\n"
        "import codelocd.daemon.traces as traces\n"
        "assert 'opentelemetry' not in sys.modules\n"
        "__import__(traces.SENDER)\n"
        "assert 'opentelemetry' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
