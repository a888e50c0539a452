"""A process that ticks until it is killed: the ticker on a real book, by a clock that is fast.

`python -m tests.supervisor.runs.ticking_daemon FOLDER NOW MINUTES`: NOW is what the clock shows at
first. One schedule is due each minute, so many of them. It ends when each has an outcome.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from codelocd.core.registry import Registry
from codelocd.daemon.runs.schedule_table import ScheduleTable
from codelocd.daemon.runs.tick_runs import TickRuns
from codelocd.daemon.runs.ticker import TickedCode, Ticker
from codelocd.runs.book import RunBook
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.tick_book import TickBook
from codelocd.runs.ticks import Schedule, Tick
from tests.supervisor.runs.ticking import PLACE, Answer, Asked, definition, moment

START = moment("2026-06-01T12:00:30")
RULES = {"cron": "* * * * *", "catch_up": "all", "overlap": "allow"}


PAUSE = 0.01
"""Seconds that a wait takes, however long it is for."""


class FastClock:
    """It goes on where it is waited for, and not beyond the last minute that counts."""

    def __init__(self, now: float, minutes: int) -> None:
        self._now = now
        self._end = START + 60.0 * minutes

    def now(self) -> float:
        return self._now

    async def wait(self, woken: asyncio.Event, seconds: float) -> None:
        await asyncio.sleep(PAUSE)
        if not woken.is_set():
            self._now = max(self._now, min(self._now + seconds, self._end))


class BookedRuns:
    """Each run is in the book, as with a daemon; it ends as soon as it is."""

    def __init__(self, book: RunBook) -> None:
        self._book = book

    async def submit(self, wish: RunWish) -> tuple[RunRecord, bool]:
        return await asyncio.wrap_future(self._book.add(wish, time.time()))

    def unfinished(self) -> Mapping[RunId, RunRecord]:
        return {}

    async def ended(self, run: RunId) -> RunRecord:
        found = await asyncio.wrap_future(self._book.run(run))
        assert found is not None
        return found


async def evaluate(_tick: Tick, _schedule: Schedule) -> Answer:
    await asyncio.sleep(0.002)
    return Answer((Asked(),))


async def tick(folder: Path, clock: FastClock, minutes: int) -> None:
    book, table = RunBook(folder / "book.sqlite"), ScheduleTable()
    ticks = TickBook(book)
    registry, _ = Registry().publish(PLACE.location, [definition(**RULES)])
    code = TickedCode(lambda: registry, lambda _: True, lambda _: True)
    runs = TickRuns(ticks, BookedRuns(book), evaluate, table, print)
    ticker = Ticker(ticks, table, runs, code, print, clock)
    await ticker.begin()
    print("begun", flush=True)
    rows = list[Tick]()
    while len(rows) < minutes or any(each.state != "run" for each in rows):
        rows = await asyncio.wrap_future(ticks.ticks(PLACE, minutes + 1))
    await ticker.close()
    book.close()


if __name__ == "__main__":
    _, place, now, count = sys.argv
    asyncio.run(tick(Path(place), FastClock(float(now), int(count)), int(count)))
