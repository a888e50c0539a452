"""What the page knows of the daemon: one connection for all tabs, made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codelocd.client import AsyncClient, DaemonUnreachable, RpcError
from codelocd_ui.output import BATCH_SECONDS
from codelocd_ui.registry import ListedRows
from codelocd_ui.tabs import Tabs
from codelocd_ui.text import to_json

if TYPE_CHECKING:
    from codelocd.documents.events import DefinitionsNews, StatusNews, TopicEvent
    from codelocd.documents.locations import LocationStatus

TOPICS = ("status", "definitions", "builds")
PAUSES = (0.25, 0.5, 1.0, 2.0)
"""Seconds between tries to reach a daemon that is gone; the last one for as long as it takes."""
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
        self._daemon: dict[str, Any] | None = None
        self._locations: dict[str, LocationStatus] = {}
        self._gone: dict[str, Any] | None = {"at": time.time(), "why": "not reached yet"}

    @property
    def instance(self) -> str:
        """Of the daemon that was heard last; empty before."""
        return "" if self._daemon is None else str(self._daemon["instance"])

    async def run(self) -> None:
        """Follow the daemon for ever, whether or not it is there."""
        pauses = iter(PAUSES)
        pause = next(pauses)
        while True:
            try:
                async with await AsyncClient.connect(self._socket) as client:
                    pauses = iter(PAUSES)
                    await self._follow(client)
            except (DaemonUnreachable, RpcError) as error:
                self._lose(str(error))
            finally:
                self._client = None
            pause = next(pauses, pause)
            await asyncio.sleep(pause)

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
            "daemon": self._daemon,
            "gone": self._gone,
            "locations": list(self._locations.values()),
            "revision": self.registry.revision,
            "definitions": len(self.registry),
        }

    async def _follow(self, client: AsyncClient) -> None:
        """Until the connection ends, or a task of it fails."""
        self._whole.clear()
        tasks = [
            asyncio.create_task(self._hear(client)),
            asyncio.create_task(self._hear_output(client)),
            asyncio.create_task(self._look_at_usage(client)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

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
            self._daemon = full["daemon"]
            self._locations = {each["name"]: each for each in full["locations"]}
        elif topic == "definitions":
            self.registry.replace(cast("Any", full))
        if self._client is not None and topic != "builds":  # it had to leave something out
            self.tabs.tell(self.state())

    def _take_status(self, news: StatusNews) -> None:
        entry, location = news["event"], news["location"]
        name = entry["location"]
        if location is not None:
            before = self._locations.get(location["name"])
            if before is not None:  # events are without what is sampled
                location["memory"], location["cpu"] = before["memory"], before["cpu"]
            self._locations[location["name"]] = location
        elif name is not None:
            self._locations.pop(name, None)
            self.registry.drop(name)
        if self._daemon is not None and "config" in news:
            self._daemon["config"] = news["config"]
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
                if name in self._locations:
                    self._locations[name]["memory"], self._locations[name]["cpu"] = sample
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
