"""Sends a trace of each load to a collector of OpenTelemetry, where the config names one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from codelocd.core.traces import Attempt, Span, took

if TYPE_CHECKING:
    from codelocd.daemon.otlp import Collector
    from codelocd.documents.events import TopicEvent

SENDER = "codelocd.daemon.otlp"
"""Imports OpenTelemetry: a twentieth of a second, 12 MB, and an extra of codelocd's."""

MOST = 1000
"""Traces that wait for that import at most."""

LAST = 1.0
"""Seconds that a daemon which ends has for what is not sent yet."""


class Traces:
    """An observer of the topic `status`. Nothing here waits for the collector.

    `report` gets a line when traces begin to be lost; `instance` is that of the daemon.
    """

    def __init__(self, address: str, instance: str, report: Callable[[str], None]) -> None:
        self._address = address
        self._instance = instance
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._attempts: dict[str, Attempt] = {}
        self._waiting: list[Span] = []
        self._collector: Collector | None = None
        self._opening: asyncio.Task[None] | None = self._loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            sender: Any = await asyncio.to_thread(importlib.import_module, SENDER)
        except ImportError as error:
            self._report(f"no traces: {error}; install codelocd[otel], the extra for them")
            return
        collector = self._collector = sender.Collector(self._address, self._instance, self._lost)
        for span in self._waiting:
            collector.send(span)
        self._waiting.clear()

    def _lost(self, why: str) -> None:
        """Called on the thread that sends."""
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._tell, why)

    def _tell(self, why: str) -> None:
        self._report(f"traces are lost: {self._address} does not take them: {why}")

    def observe(self, event: TopicEvent) -> None:
        """An attempt goes on, or is over."""
        if event["topic"] != "status" or "full" in event["data"]:
            return
        entry, location = event["data"]["event"], event["data"]["location"]
        name = entry["location"]
        if name is None:
            return
        attempt, span = took(self._attempts.get(name), entry)
        if location is None:
            self._attempts.pop(name, None)  # it is no longer in the config
        elif attempt is not None:
            self._attempts[name] = attempt
        if span is None:
            return
        if self._collector is not None:
            self._collector.send(span)
        elif len(self._waiting) < MOST:
            self._waiting.append(span)

    async def close(self) -> None:
        """Send what is left, within LAST; what is not sent by then is lost."""
        if self._opening is not None:
            self._opening.cancel()
        collector, sent = self._collector, asyncio.Event()
        if collector is None:
            return

        def send_rest() -> None:
            collector.close()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(sent.set)

        # No thread of the loop's: a collector that hangs would hold up the daemon's end.
        threading.Thread(target=send_rest, name="last traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                await sent.wait()
