"""What the page knows of the daemon: one connection for all tabs, made again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from codelocd import __version__
from codelocd.client import AsyncClient, DaemonUnreachable
from codelocd.client.follow import KnownState, follow, samples, until_first
from codelocd_ui.output import BATCH_SECONDS
from codelocd_ui.registry import ListedRows
from codelocd_ui.runs import BY, RUN_ORDERS, RUN_READS, KnownRuns
from codelocd_ui.tabs import Shown, Tabs
from codelocd_ui.text import to_json

if TYPE_CHECKING:
    from codelocd.documents.events import DefinitionsNews, StatusNews, TopicEvent, UsageDocument
    from codelocd.documents.locations import LocationStatus

Wish = TypeVar("Wish")

TOPICS = ("status", "definitions", "builds")
FORWARDED = RUN_READS | {
    *("status", "definitions", "show", "logs", "events", "environments", "environment", "diff"),
}
BEAT_SECONDS, BEAT_PATIENCE = 2.0, 2.0
"""While a tab is open: how often the daemon is asked for a word, and for how long it may take."""
ENDING = "ending"
"""The entry of the journal by which a daemon says that it ends."""
ASKED = {"cli": "`codelocd shutdown`"}
"""Who may ask a daemon to end, in words; signals are named as they are."""
ORDERS = frozenset({"start", "stop", "restart", "reload"})
"""Nothing else is ever asked of the daemon: not what hands over secrets, ends it or runs code."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the page is told about itself. `editor`: the scheme of links to files, or empty."""

    name: str
    editor: str = "vscode"
    read_only: bool = False
    version: str = ""


class Feed:
    """The daemon's state as it was told last, and the tabs that hear of each change.

    `foreign`: the daemon at `socket` may be another user's.
    """

    def __init__(self, socket: Path, facts: PageFacts, *, foreign: bool = False) -> None:
        self.tabs = Tabs()
        self.only_reads = facts.read_only
        self._facts = facts
        self._foreign = foreign
        self.registry = ListedRows()
        self.runs = KnownRuns()
        self._topics: tuple[str, ...] = TOPICS
        """`runs` among them, where the daemon knows of runs."""
        self._asked_to_end: str | None = None
        """What or who asked the daemon to end, as soon as it does."""
        self._socket = socket
        self._client: AsyncClient | None = None
        """None until the state is whole."""
        self._is_of_this_version = False
        self._whole: set[str] = set()
        self._known = KnownState()
        self._heard: dict[str, float] = {}
        """When the daemon last told of a location, by the monotonic clock."""
        self._gone: dict[str, Any] | None = {"at": time.time(), "why": "not reached yet"}

    @property
    def instance(self) -> str:
        """Of the daemon that was heard last; empty before."""
        return "" if self._known.daemon is None else self._known.daemon["instance"]

    async def run(self) -> None:
        """Follow the daemon for ever, whether or not it is there."""
        await follow(self._socket, self._follow, self._lose, foreign=self._foreign)

    async def ask(self, method: str, params: dict[str, Any], timeout: float | None = 10.0) -> Any:
        """The daemon's answer. Raises DaemonUnreachable, RpcError, and ValueError for a method that
        the page has no business with.
        """
        if method not in FORWARDED | ORDERS | RUN_ORDERS.keys():
            raise ValueError(method)
        if self._client is None:
            raise DaemonUnreachable("absent", "codelocd does not run")
        if method in ORDERS and self._is_of_this_version:
            params = {**params, "by": "page"}
        elif method in ("run", "run_retry"):
            params = {**params, "by": BY}
        return await self._client.call(method, params, timeout=timeout)

    def beginning(self) -> list[dict[str, Any]]:
        """Everything that a tab begins with."""
        has_runs = "runs" in self._topics
        page = {**asdict(self._facts), "read_only": self.only_reads, "runs": has_runs}
        now = time.monotonic()
        state = {
            "daemon": self._known.daemon,
            "gone": self._gone,
            "locations": [
                _aged(each, now - self._heard[name]) for name, each in self._known.locations.items()
            ],
            "revision": self.registry.revision,
            "definitions": len(self.registry),
        }
        runs = [{"type": "runs", "runs": self.runs.newest_first()}] if len(self.runs) else []
        return [{"type": "page", **page}, {"type": "state", **state}, *runs]

    async def _follow(self, client: AsyncClient) -> None:
        """Until the connection ends, or a task of it fails."""
        self._whole.clear()
        hello = await client.call("hello")
        self._is_of_this_version = hello.get("version") == __version__
        self._topics = (*TOPICS, "runs") if "run" in hello.get("methods", ()) else TOPICS
        self._asked_to_end = None
        self.only_reads = self._facts.read_only or hello.get("right") == "read"
        try:
            await until_first(
                self._hear(client),
                self._ask_for_life(client),
                self._while_wanted(lambda: self.tabs.output_of, partial(self._output, client)),
                self._while_wanted(self._shown_runs, partial(self._run_output, client)),
                self._while_wanted(lambda: self.tabs.want_usage, partial(self._usage, client)),
            )
        finally:
            self._client = None

    async def _hear(self, client: AsyncClient) -> None:
        async for event in client.subscribe(self._topics):
            self._take(event)
            if self._client is None and self._whole.issuperset(self._topics):
                self._client, self._gone = client, None
                self._tell_all()

    def _take(self, event: TopicEvent) -> None:
        """Change what is known, and tell the tabs once the daemon's state is whole."""
        topic: str = event["topic"]
        data = cast("dict[str, Any]", event["data"])
        if data.get("full"):
            self._replace(topic, data)
        elif topic == "status":
            self._take_status(cast("StatusNews", data))
        elif topic == "definitions":
            changed = self.registry.change(cast("DefinitionsNews", data))
            self._tell({"type": "definitions", **changed})
        elif topic == "builds":
            self._tell({"type": "build", **data})
        elif topic == "runs":
            self._take_run(data)

    def _replace(self, topic: str, full: dict[str, Any]) -> None:
        self._whole.add(topic)
        if topic == "status":
            self._known.replace(cast("Any", full))
            self._heard = dict.fromkeys(self._known.locations, time.monotonic())
        elif topic == "definitions":
            self.registry.replace(cast("Any", full))
        elif topic == "runs":
            self.runs.replace(full["runs"])
        if self._client is not None and topic != "builds":  # it had to leave something out
            self._tell_all()

    def _tell_all(self) -> None:
        for message in self.beginning():
            self.tabs.tell(message)

    def _take_run(self, news: dict[str, Any]) -> None:
        """What a run has become, for all tabs; what an attempt tells, for those that show it."""
        if news["event"] == "run":
            self._tell({"type": "run", "run": self.runs.change(news["run"])})
        elif self._client is not None:
            for tab in self.tabs:
                if tab.run == news.get("id"):
                    tab.send(to_json({"type": "told", **news}))

    def _take_status(self, news: StatusNews) -> None:
        gone = self._known.change(news)
        if gone is not None:
            self.registry.drop(gone)
            self._heard.pop(gone, None)
        elif news["location"] is not None:
            self._heard[news["location"]["name"]] = time.monotonic()
        if news["event"]["event"] == ENDING:
            self._asked_to_end = news["event"]["by"]
        self._tell({"type": "status", **news, "at": time.time()})

    def _tell(self, message: dict[str, Any]) -> None:
        if self._client is not None:
            self.tabs.tell(message)

    def _lose(self, why: str) -> None:
        if self._gone is None:
            by = self._asked_to_end
            why = why if by is None else f"it was asked to end by {ASKED.get(by, by)}"
            self._gone = {"at": time.time(), "why": why}
            self.tabs.tell({"type": "gone", **self._gone})
        elif self._asked_to_end is None:
            self._gone["why"] = why

    async def _ask_for_life(self, client: AsyncClient) -> None:
        """A daemon that is stopped keeps its connections; no end of one tells."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if len(self.tabs):
                await client.call("hello", timeout=BEAT_PATIENCE)

    async def _while_wanted(
        self, wish: Callable[[], Wish], work: Callable[[Wish], Coroutine[Any, Any, None]]
    ) -> None:
        """Do the work for what the tabs wish for, and anew whenever they wish for something else;
        nothing while that is None or False."""
        while True:
            wanted = wish()
            other = self._until_other(wish, wanted)
            await (until_first(work(wanted), other) if wanted else other)

    async def _until_other(self, wish: Callable[[], Wish], wanted: Wish) -> None:
        while wish() == wanted:
            self.tabs.changed.clear()
            await self.tabs.changed.wait()

    async def _usage(self, client: AsyncClient, _wanted: object) -> None:
        """Memory and CPU of each runner."""
        async with contextlib.aclosing(samples(client)) as found:
            async for usage in found:
                self._known.sample(usage)
                if usage["locations"]:
                    self._tell({"type": "usage", **_drawn(usage)})

    async def _output(self, client: AsyncClient, wanted: Shown | None) -> None:
        """Lines that tabs show: each one costs the daemon and this process."""
        there = self._known.locations.keys()
        names = None
        if self._is_of_this_version and isinstance(wanted, frozenset) and wanted <= there:
            names = sorted(wanted)
        events = client.subscribe(["logs"], blocks=True, locations=names)
        sending = asyncio.create_task(self._send_batches())
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    self._take_lines(cast("dict[str, Any]", event["data"]))
        finally:
            sending.cancel()

    def _shown_runs(self) -> frozenset[int]:
        return self.tabs.shown_runs if "runs" in self._topics else frozenset()

    async def _run_output(self, client: AsyncClient, wanted: frozenset[int]) -> None:
        """Lines of runs that tabs show."""
        found = {self.runs.location_of(run) for run in wanted}
        there = self._known.locations.keys()
        known = sorted(each for each in found if each is not None and each in there)
        names = known if len(known) == len(found) else None
        events = client.subscribe(["run_logs"], blocks=True, locations=names)
        sending = asyncio.create_task(self._send_batches())
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    self._take_run_lines(cast("dict[str, Any]", event["data"]))
        finally:
            sending.cancel()

    def _take_run_lines(self, data: dict[str, Any]) -> None:
        for tab in self.tabs:
            if tab.run_batch is not None and tab.run == data.get("run"):
                tab.run_batch.add(cast("Any", {**data, "generation": data["attempt"]}))

    def _take_lines(self, data: dict[str, Any]) -> None:
        if data.get("full"):
            if data["missed"]:
                self._tell({"type": "output", "lines": [], "skipped": -1})
            return
        for tab in self.tabs:
            if tab.batch is not None:
                tab.batch.add(cast("Any", data))

    async def _send_batches(self) -> None:
        while True:
            await asyncio.sleep(BATCH_SECONDS)
            for tab in self.tabs:
                for waiting in (tab.batch, tab.run_batch):
                    if waiting is not None and (batch := waiting.take()) is not None:
                        tab.send(to_json(batch))


def _aged(location: LocationStatus, seconds: float) -> dict[str, Any]:
    """What the daemon told of a location so many seconds ago, as it would tell it now."""
    uptime, phase = location["uptime"], location["phase_seconds"]
    return {
        **location,
        "uptime": None if uptime is None else uptime + seconds,
        "phase_seconds": None if phase is None else phase + seconds,
    }


def _drawn(sample: UsageDocument) -> dict[str, Any]:
    """A sample as the page draws it: what is not known is a gap in both lines."""
    pairs = {name: each or [None, None] for name, each in sample["locations"].items()}
    return {"at": sample["at"], "locations": pairs}
