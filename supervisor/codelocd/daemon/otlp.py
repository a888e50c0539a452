"""Speaks to a collector by OpenTelemetry's own library: OTLP over HTTP.

Imported only where the config names a collector. Headers, certificates, compression, the time
limit, the name of the service and further attributes are as the variables of OpenTelemetry say
(OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and so on).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from codelocd import __version__
from codelocd.core.traces import Span

PERIOD_MS = 1000
"""Milliseconds between two batches."""

QUEUE = 2048
"""Spans that wait at most, as the library has it; a collector that is down costs no more memory."""


class Collector:
    """Queues spans; a thread of the library's sends them. `lost` is called on that thread, once
    when the collector stops taking them."""

    def __init__(self, address: str, instance: str, lost: Callable[[str], None]) -> None:
        facts = {
            "service.version": __version__,
            "service.instance.id": instance,
            "host.name": socket.gethostname(),
        }
        if "OTEL_SERVICE_NAME" not in os.environ:
            facts["service.name"] = "codelocd"
        self._provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{address.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _TellsOnce(exporter, lost), max_queue_size=QUEUE, schedule_delay_millis=PERIOD_MS
            )
        )
        self._tracer = self._provider.get_tracer("codelocd", __version__)

    def send(self, span: Span) -> None:
        """Queue it with its children; returns at once."""
        self._made(span, None)

    def _made(self, span: Span, parent: trace.Span | None) -> None:
        context = trace.set_span_in_context(parent) if parent is not None else None
        made = self._tracer.start_span(
            span.name,
            context=context,
            attributes=dict(span.attributes),
            start_time=_nanoseconds(span.begin),
        )
        if span.error:
            made.set_status(trace.StatusCode.ERROR, span.error)
        for child in span.children:
            self._made(child, made)
        made.end(_nanoseconds(span.end))

    def close(self) -> None:
        """Send what is left. Blocks for as long as the collector takes."""
        self._provider.shutdown()


def _nanoseconds(moment: float) -> int:
    return int(moment * 1_000_000_000)


class _TellsOnce(SpanExporter):
    """An exporter that says once that it fails, instead of with each batch."""

    def __init__(self, exporter: OTLPSpanExporter, lost: Callable[[str], None]) -> None:
        self._exporter = exporter
        self._lost = lost
        self._is_failing = False
        self._heard = _Heard()
        library = logging.getLogger("opentelemetry")
        library.addHandler(self._heard)
        library.propagate = False  # the daemon's log has a line of its own

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._heard.last = "no answer"
        result = self._exporter.export(spans)
        has_failed = result is not SpanExportResult.SUCCESS
        if has_failed and not self._is_failing:
            self._lost(self._heard.last)
        self._is_failing = has_failed
        return result

    def shutdown(self) -> None:
        end: Any = self._exporter.shutdown
        end()


class _Heard(logging.Handler):
    """Keeps the library's last remark: an exporter does not return why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage().partition("\n")[0]
