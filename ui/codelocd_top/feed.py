"""What the daemon tells the terminal view: of all locations always, of one what its pane shows."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from codelocd import __version__
from codelocd.client import AsyncClient, DaemonUnreachable, RpcError
from codelocd.client.follow import KnownState, follow, samples, until_first
from codelocd_top.model import (
    ENTRIES,
    LINE_LENGTH,
    LINES,
    Act,
    Done,
    Granted,
    Happened,
    Lost,
    Past,
    Printed,
    PrintedLine,
    Recalled,
    Said,
    Told,
)

if TYPE_CHECKING:
    from codelocd.documents.events import StatusNews
    from codelocd_top.model import Detail, Event

BATCH_SECONDS = 0.1
"""Lines of output are told so often, however many there are."""
SETTLED = 0.12
"""Seconds that the cursor stays on a location before its details are asked for."""
REMEMBERED = 1000
"""Entries of the journal from which the times of former loads are taken."""
BY = "top"
"""What the journal says of who gave an order."""
FIRST_LINES = 300
"""Lines of output that a location has printed before, which its pane begins with."""


class DaemonFeed:
    """Follows the daemon at `socket`, and passes what it hears on to `tell`."""

    def __init__(self, socket: Path, tell: Callable[[Event], None], *, foreign: bool) -> None:
        self._socket = socket
        self._tell = tell
        self._foreign = foreign
        self._client: AsyncClient | None = None
        self._is_other_version = False
        self._known = KnownState()
        self._wanted: Detail | None = None
        self._wants_other = asyncio.Event()

    async def run(self) -> None:
        """Follow the daemon for ever, whether or not it is there."""
        await follow(self._socket, self._use, self._lose, foreign=self._foreign)

    def want(self, detail: Detail | None) -> None:
        """From now on the pane shows this."""
        if detail != self._wanted:
            self._wanted = detail
            self._wants_other.set()

    async def act(self, act: Act) -> None:
        """Have the daemon do it, and tell the outcome."""
        try:
            if self._client is None:
                raise DaemonUnreachable("absent", "the daemon does not answer")
            params: dict[str, Any] = {"locations": [act.location], "wait": True}
            if not self._is_other_version:
                params["by"] = BY
            answer = await self._ask(act.verb, params, timeout=None)
        except (DaemonUnreachable, RpcError) as error:
            self._tell(Said(f"{act.verb} {act.location}: {error}", "red"))
        else:
            for outcome in answer["locations"]:
                self._tell(Done(act.verb, outcome))

    async def _use(self, client: AsyncClient) -> None:
        self._client = client
        try:
            hello = await client.call("hello")
            self._is_other_version = hello.get("version") != __version__
            self._tell(Granted(hello.get("right") != "read"))
            await until_first(
                self._hear(), self._sample(client), self._look_back(), self._follow_details()
            )
        finally:
            self._client = None

    def _lose(self, why: str) -> None:
        self._tell(Lost(time.time(), why))

    async def _ask(self, method: str, params: dict[str, Any], timeout: float | None = 10.0) -> Any:
        if self._client is None:
            raise DaemonUnreachable("absent", "the daemon does not answer")
        answer = await self._client.call(method, params, timeout=timeout)
        if not self._is_other_version:
            return answer
        from codelocd.core import whole  # seldom: what is declared takes long to import

        return whole.answer(method, answer)

    async def _events(
        self, topics: Sequence[str], locations: Sequence[str] | None = None
    ) -> AsyncGenerator[Any, None]:
        """The data of each event of these topics, for ever; of these locations alone, unless the
        daemon is of another version."""
        assert self._client is not None
        only = None if self._is_other_version else locations
        events = self._client.subscribe(topics, blocks=True, locations=only)
        async with contextlib.aclosing(events):
            async for event in events:
                if self._is_other_version:
                    from codelocd.core import whole  # seldom: as above

                    yield whole.event(event)["data"]
                else:
                    yield event["data"]

    async def _hear(self) -> None:
        async with contextlib.aclosing(self._events(["status"])) as events:
            async for data in events:
                if data.get("full"):
                    self._known.replace(data)
                    self._tell_all()
                else:
                    self._take(cast("StatusNews", data))

    def _take(self, news: StatusNews) -> None:
        self._known.change(news)
        self._tell_all()
        self._tell(Happened(news["event"]))

    def _tell_all(self) -> None:
        if self._known.daemon is not None:
            locations = MappingProxyType(dict(self._known.locations))
            self._tell(Told(time.time(), self._known.daemon, locations))

    async def _look_back(self) -> None:
        """What the journal has of former loads."""
        found = await self._ask("events", {"lines": REMEMBERED})
        self._tell(Recalled(tuple(found["events"])))
        await asyncio.Event().wait()  # what it runs beside ends with the connection

    async def _sample(self, client: AsyncClient) -> None:
        """Memory and CPU of all runners."""
        async with contextlib.aclosing(samples(client)) as found:
            async for usage in found:
                self._known.sample(usage)
                self._tell_all()

    async def _follow_details(self) -> None:
        """What the pane shows, again as soon as it shows something else."""
        while True:
            self._wants_other.clear()
            following = asyncio.create_task(self._detail(self._wanted))
            changed = asyncio.create_task(self._wants_other.wait())
            try:
                await asyncio.wait((following, changed), return_when=asyncio.FIRST_COMPLETED)
                if not changed.done():
                    following.result()  # where it failed, the connection did
                    await changed
            finally:
                following.cancel()
                changed.cancel()
                await asyncio.gather(following, changed, return_exceptions=True)

    async def _detail(self, wanted: Detail | None) -> None:
        if wanted is None:
            return
        await asyncio.sleep(SETTLED)
        name = wanted.location
        try:
            if wanted.what == "output":
                await self._hear_output(name)
            else:
                asked = {"locations": [name], "lines": ENTRIES}
                self._tell(Past(name, tuple((await self._ask("events", asked))["events"])))
        except RpcError as error:  # it may be gone from the config by now
            self._tell(Said(f"{name}: {error}", "yellow"))

    async def _hear_output(self, name: str) -> None:
        """The last lines, then those that come, in batches."""
        batch = LineBatch(name)
        async with contextlib.aclosing(self._events(["logs"], [name])) as events:
            await anext(events)  # the full state: from here on no line is missed
            found = await self._ask("logs", {"locations": [name], "lines": FIRST_LINES})
            lines = tuple(PrintedLine(each["at"], _cut(each["text"])) for each in found["lines"])
            self._tell(Printed(name, lines, first=True))
            batch.seen = found["last"].get(name, 0)
            sending = asyncio.create_task(self._send(batch))
            try:
                async for data in events:
                    batch.add(data)
            finally:
                sending.cancel()

    async def _send(self, batch: LineBatch) -> None:
        while True:
            await asyncio.sleep(BATCH_SECONDS)
            if (printed := batch.take()) is not None:
                self._tell(printed)


class LineBatch:
    """Lines of one location since they were taken last: no more than the pane keeps."""

    def __init__(self, name: str) -> None:
        self.seen = 0
        """The number of the last line that was told."""
        self._name = name
        self._lines: deque[PrintedLine] = deque(maxlen=LINES)
        self._count = 0

    def add(self, data: Any) -> None:
        if data.get("full") or data["location"] != self._name:
            return
        texts = data["texts"] if "texts" in data else [data["text"]]
        first, at = data["seq"], data["at"]
        lost = max(first - self.seen - 1, 0)
        new = texts[max(self.seen + 1 - first, 0) :]
        self.seen = max(self.seen, first + len(texts) - 1)
        self._count += lost + len(new)
        self._lines.extend(PrintedLine(at, _cut(text)) for text in new[-LINES:])

    def take(self) -> Printed | None:
        if not self._count:
            return None
        lines, count = tuple(self._lines), self._count
        self._lines.clear()
        self._count = 0
        return Printed(self._name, lines, count - len(lines))


def _cut(text: str) -> str:
    return text if len(text) <= LINE_LENGTH else f"{text[:LINE_LENGTH]}…"
