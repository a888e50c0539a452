"""What the page knows of the daemon: one connection for all tabs, made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codelocd.client import AsyncClient, DaemonUnreachable
from codelocd.client.follow import follow, until_first
from codelocd.client.known import KnownState
from codelocd_ui.output import BATCH_SECONDS
from codelocd_ui.registry import ListedRows
from codelocd_ui.tabs import Tabs
from codelocd_ui.text import to_json

if TYPE_CHECKING:
    from codelocd.documents.events import DefinitionsNews, StatusNews, TopicEvent

TOPICS = ("status", "definitions", "builds")
USAGE_SECONDS = 5.0
"""Between two looks at memory and CPU, as long as a tab shows them."""
FORWARDED = frozenset({"status", "definitions", "show", "logs", "events", "environments"})
ORDERS = frozenset({"start", "stop", "restart", "reload"})
"""Nothing else is ever asked of the daemon: not what hands over secrets, ends it or runs code."""


class Feed:
    """The daemon's state as it was told last, and the tabs that hear of each change."""

    def __init__(self, socket: Path) -> None:
        self.tabs = Tabs()
        self.registry = ListedRows()
        self._socket = socket
        self._client: AsyncClient | None = None
        """None until the state is whole."""
        self._whole: set[str] = set()
        self._known = KnownState()
        self._gone: dict[str, Any] | None = {"at": time.time(), "why": "not reached yet"}

    @property
    def instance(self) -> str:
        """Of the daemon that was heard last; empty before."""
        return "" if self._known.daemon is None else self._known.daemon["instance"]

    async def run(self) -> None:
        """Follow the daemon for ever, whether or not it is there."""
        await follow(self._socket, self._follow, self._lose)

    async def ask(self, method: str, params: dict[str, Any], timeout: float | None = 10.0) -> Any:
        """The daemon's answer. Raises DaemonUnreachable, RpcError, and ValueError for a method that
        the page has no business with.
        """
        if method not in FORWARDED | ORDERS:
            raise ValueError(method)
        if self._client is None:
            raise DaemonUnreachable("absent", "codelocd does not run")
        return await self._client.call(method, params, timeout=timeout)

    def state(self) -> dict[str, Any]:
        """Everything that a tab begins with."""
        return {
            "type": "state",
            "daemon": self._known.daemon,
            "gone": self._gone,
            "locations": list(self._known.locations.values()),
            "revision": self.registry.revision,
            "definitions": len(self.registry),
        }

    async def _follow(self, client: AsyncClient) -> None:
        """Until the connection ends, or a task of it fails."""
        self._whole.clear()
        try:
            await until_first(
                self._hear(client), self._hear_output(client), self._look_at_usage(client)
            )
        finally:
            self._client = None

    async def _hear(self, client: AsyncClient) -> None:
        async for event in client.subscribe(TOPICS):
            self._take(event)
            if self._client is None and self._whole.issuperset(TOPICS):
                self._client, self._gone = client, None
                self.tabs.tell(self.state())

    def _take(self, event: TopicEvent) -> None:
        """Change what is known, and tell the tabs once the daemon's state is whole."""
        data = cast("dict[str, Any]", event["data"])
        if data.get("full"):
            self._replace(event["topic"], data)
        elif event["topic"] == "status":
            self._take_status(cast("StatusNews", data))
        elif event["topic"] == "definitions":
            changed = self.registry.change(cast("DefinitionsNews", data))
            self._tell({"type": "definitions", **changed})
        elif event["topic"] == "builds":
            self._tell({"type": "build", **data})

    def _replace(self, topic: str, full: dict[str, Any]) -> None:
        self._whole.add(topic)
        if topic == "status":
            self._known.replace(cast("Any", full))
        elif topic == "definitions":
            self.registry.replace(cast("Any", full))
        if self._client is not None and topic != "builds":  # it had to leave something out
            self.tabs.tell(self.state())

    def _take_status(self, news: StatusNews) -> None:
        gone = self._known.change(news)
        if gone is not None:
            self.registry.drop(gone)
        self._tell({"type": "status", **news, "at": time.time()})

    def _tell(self, message: dict[str, Any]) -> None:
        if self._client is not None:
            self.tabs.tell(message)

    def _lose(self, why: str) -> None:
        if self._gone is None:
            self._gone = {"at": time.time(), "why": why}
            self.tabs.tell({"type": "gone", **self._gone})
        else:
            self._gone["why"] = why

    async def _look_at_usage(self, client: AsyncClient) -> None:
        """Memory and CPU of each runner, as long as a tab shows them."""
        while True:
            await self._until(lambda: self.tabs.want_usage)
            answer = await client.call("status", {})
            usage = {}
            for location in answer["locations"]:
                name, sample = location["name"], [location["memory"], location["cpu"]]
                usage[name] = sample
                self._known.sample(name, *sample)
            self._tell({"type": "usage", "at": time.time(), "locations": usage})
            await asyncio.sleep(USAGE_SECONDS)

    async def _hear_output(self, client: AsyncClient) -> None:
        """Lines, as long as a tab shows them: each one costs the daemon and this process."""
        while True:
            await self._until(lambda: self.tabs.want_output)
            async with contextlib.aclosing(client.subscribe(["logs"], blocks=True)) as events:
                sending = asyncio.create_task(self._send_batches())
                try:
                    async for event in events:
                        data = cast("dict[str, Any]", event["data"])
                        if data.get("full"):
                            self._tell_missed(data)
                            continue
                        for tab in self.tabs:
                            if tab.batch is not None:
                                tab.batch.add(cast("Any", data))
                        if not self.tabs.want_output:
                            break
                finally:
                    sending.cancel()

    async def _send_batches(self) -> None:
        while True:
            await asyncio.sleep(BATCH_SECONDS)
            for tab in self.tabs:
                if tab.batch is not None and (batch := tab.batch.take()) is not None:
                    tab.send(to_json(batch))

    def _tell_missed(self, full: dict[str, Any]) -> None:
        if full["missed"]:
            self._tell({"type": "output", "lines": [], "skipped": -1})

    async def _until(self, wanted: Any) -> None:
        while not wanted():
            self.tabs.changed.clear()
            if not wanted():
                await self.tabs.changed.wait()
