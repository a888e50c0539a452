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
from codelocd_top.run_model import RunAct, Runnable, RunShown, RunsTold, Startable, run_output

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
        self._knows_runs = False
        self._run_changed = asyncio.Event()
        """Set when the daemon tells something of the run that the pane shows."""

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

    async def act_on_run(self, act: RunAct) -> None:
        """Have the daemon do it; what comes of it is told by the daemon."""
        try:
            answer = await self._ask(act.verb, dict(act.params), timeout=None)
        except (DaemonUnreachable, RpcError) as error:
            self._tell(Said(f"{act.what}: {error}", "red"))
        else:
            if act.verb != "run_cancel":
                self._tell(Said(f"{act.what}: it is run {answer['id']}"))

    async def find_startable(self) -> None:
        """Tell the jobs and assets of native locations."""
        try:
            found = await self._ask("definitions", {})
        except (DaemonUnreachable, RpcError) as error:
            return self._tell(Said(str(error), "red"))
        native = {
            name for name, each in self._known.locations.items() if each["loader"] == "native"
        }
        runnable = (
            Runnable(each["location"], each["kind"] == "asset", each["name"], each["repository"])
            for each in found["definitions"]
            if each["kind"] in ("job", "asset") and each["location"] in native
        )
        return self._tell(Startable(tuple(sorted(runnable))))

    async def _use(self, client: AsyncClient) -> None:
        self._client = client
        try:
            hello = await client.call("hello")
            self._is_other_version = hello.get("version") != __version__
            self._knows_runs = "run" in hello.get("methods", ())
            self._tell(Granted(hello.get("right") != "read", self._knows_runs))
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
        topics = ["status", "runs"] if self._knows_runs else ["status"]
        async with contextlib.aclosing(self._events(topics)) as events:
            async for data in events:
                if "runs" in data or isinstance(data.get("event"), str):
                    self._take_run(data)
                elif data.get("full"):
                    self._known.replace(data)
                    self._tell_all()
                else:
                    self._take(cast("StatusNews", data))

    def _take_run(self, data: Any) -> None:
        """News of the topic `runs`, or its full state."""
        if "runs" in data:
            self._tell(RunsTold(tuple(map(_summary, data["runs"])), full=True))
            self._run_changed.set()
            return
        if data["event"] == "run":
            self._tell(RunsTold((data["run"],)))
        number = data["run"]["id"] if data["event"] == "run" else data["id"]
        if self._wanted is not None and self._wanted.run == number:
            self._run_changed.set()

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
            if wanted.run is not None and wanted.what == "steps":
                await self._follow_run(wanted.run)
            elif wanted.what == "output":
                await self._hear_output(name, wanted.run)
            else:
                asked = {"locations": [name], "lines": ENTRIES}
                self._tell(Past(name, tuple((await self._ask("events", asked))["events"])))
        except RpcError as error:  # it may be gone from the config by now
            self._tell(Said(f"{name}: {error}", "yellow"))

    async def _follow_run(self, run: int) -> None:
        """The run with its steps, again whenever something of it is told."""
        while True:
            self._run_changed.clear()
            self._tell(RunShown((await self._ask("run_show", {"id": run}))["run"]))
            await self._run_changed.wait()
            await asyncio.sleep(BATCH_SECONDS)

    async def _hear_output(self, name: str, run: int | None) -> None:
        """The last lines, then those that come, in batches; `run`: of that run of the location."""
        batch = LineBatch(name, run)
        topic, method = ("logs", "logs") if run is None else ("run_logs", "run_logs")
        there = [name] if name in self._known.locations else None
        async with contextlib.aclosing(self._events([topic], there)) as events:
            await anext(events)  # the full state: from here on no line is missed
            of = {"locations": [name]} if run is None else {"id": run}
            found = await self._ask(method, {**of, "lines": FIRST_LINES})
            lines = tuple(PrintedLine(each["at"], _cut(each["text"])) for each in found["lines"])
            self._tell(Printed(batch.name, lines, first=True))
            batch.seen = found["last"] if run is not None else found["last"].get(name, 0)
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
    """Lines of one location since they were taken last: no more than the pane keeps.

    `run`: of that run of the location. `name` is what `Printed` calls it.
    """

    def __init__(self, location: str, run: int | None = None) -> None:
        self.seen = 0
        """The number of the last line that was told."""
        self.name = run_output(run) or location
        self._location = location
        self._run = run
        self._lines: deque[PrintedLine] = deque(maxlen=LINES)
        self._count = 0

    def add(self, data: Any) -> None:
        if data.get("full") or data["location"] != self._location or data.get("run") != self._run:
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
        return Printed(self.name, lines, count - len(lines))


def _summary(run: Any) -> Any:
    """Of the document of a run, what its news have."""
    return {**run, "attempt": run["attempts"][-1]["number"] if run["attempts"] else None}


def _cut(text: str) -> str:
    return text if len(text) <= LINE_LENGTH else f"{text[:LINE_LENGTH]}…"
