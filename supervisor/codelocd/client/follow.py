"""Stays with a daemon, through every loss of the connection, and keeps what it has told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from codelocd.client.aio import AsyncClient
from codelocd.client.connection import DaemonUnreachable
from codelocd.rpc.errors import RpcError

if TYPE_CHECKING:
    from codelocd.documents.events import FullStatus, StatusNews, UsageDocument
    from codelocd.documents.locations import DaemonStatus, LocationStatus


PAUSES = (0.25, 0.5, 1.0, 2.0)
"""Seconds between tries to reach a daemon that is gone; the last one for as long as it takes."""


async def follow(
    socket: Path,
    use: Callable[[AsyncClient], Awaitable[None]],
    lost: Callable[[str], None],
    *,
    foreign: bool = False,
) -> NoReturn:
    """Await `use` with a connection to the daemon at `socket`, and again each time that it ends.

    `use` ends, or raises DaemonUnreachable or RpcError, when the connection is of no more use;
    then, and at each try that fails, `lost` is told why. `foreign`: as for `Client`.
    """
    pauses = iter(PAUSES)
    pause = PAUSES[0]
    while True:
        try:
            async with await AsyncClient.connect(socket, foreign=foreign) as client:
                pauses = iter(PAUSES)
                await use(client)
        except (DaemonUnreachable, RpcError) as error:
            lost(str(error))
        pause = next(pauses, pause)
        await asyncio.sleep(pause)


async def samples(client: AsyncClient) -> AsyncGenerator[UsageDocument, None]:
    """What the runners use, at each sample, for ever; one of no location says nothing.

    A daemon of a version that does not tell it is waited for in vain.
    """
    try:
        async with contextlib.aclosing(client.subscribe(["usage"])) as events:
            async for event in events:
                yield cast("UsageDocument", event["data"])
    except RpcError as error:
        if error.kind != "usage":
            raise
        await asyncio.Event().wait()


async def until_first(*running: Coroutine[Any, Any, None]) -> None:
    """Run all of these until one ends or raises; the others are cancelled then."""
    tasks = [asyncio.create_task(each) for each in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- what the daemon has told ------------------------------------------------------------------


class KnownState:
    """The document of `status`, kept up to date. Empty until the daemon has told the full state."""

    def __init__(self) -> None:
        self.daemon: DaemonStatus | None = None
        self.locations: dict[str, LocationStatus] = {}

    def replace(self, full: FullStatus) -> None:
        self.daemon = full["daemon"]
        self.locations = {each["name"]: each for each in full["locations"]}

    def change(self, news: StatusNews) -> str | None:
        """Take over what happened; the name of a location that is no longer in the config."""
        entry, location = news["event"], news["location"]
        if self.daemon is not None and "config" in news:
            self.daemon["config"] = news["config"]
        if location is not None:
            before = self.locations.get(location["name"])
            if before is not None:  # events are without what is sampled
                location["memory"], location["cpu"] = before["memory"], before["cpu"]
            self.locations[location["name"]] = location
            return None
        name = entry["location"]
        if name is not None:
            self.locations.pop(name, None)
        return name

    def sample(self, usage: UsageDocument) -> None:
        """Take over what the runners use: bytes, and the share of one core."""
        for name, sample in usage["locations"].items():
            location = self.locations.get(name)
            if location is not None:
                memory, cpu = cast("tuple[int | None, float | None]", sample or (None, None))
                self.locations[name] = {**location, "memory": memory, "cpu": cpu}
