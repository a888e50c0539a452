"""Ten thousand schedules: what they cost at the start, and at rest."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from codelocd.core.registry import Registry
from codelocd.daemon.runs.schedule_table import ScheduleTable
from codelocd.daemon.runs.tick_runs import TickRuns
from codelocd.daemon.runs.ticker import TickedCode, Ticker
from codelocd.runs.book import RunBook
from codelocd.runs.tick_book import TickBook
from codelocd.runs.ticks import Schedule, Tick
from tests.supervisor.runs.ticking import Answer, RunsOfTest, definition

LOCATIONS, EACH = 10, 1000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
START, REST = 3.0, 0.002
"""Seconds of CPU until all are known, and the share of a core after that; at most."""
WATCHED = 60.0


def ten_thousand() -> Registry:
    chance, registry = random.Random(1), Registry()
    for location in range(LOCATIONS):
        definitions = [
            definition(
                f"s{number}",
                cron=f"{chance.randint(0, 59)} {chance.randint(0, 23)} * * *",
                timezone=chance.choice(ZONES),
            )
            for number in range(EACH)
        ]
        registry, _ = registry.publish(f"l{location}", definitions)
    return registry


async def nothing(_tick: Tick, _schedule: Schedule) -> Answer:
    return Answer(skipped="a test")


@pytest.mark.slow
async def test_ten_thousand_schedules_are_known_soon_and_cost_nothing_at_rest(
    tmp_path: Path,
) -> None:
    book, table, registry = RunBook(tmp_path / "book.sqlite"), ScheduleTable(), ten_thousand()
    ticks = TickBook(book)
    code = TickedCode(lambda: registry, lambda _: True, lambda _: True)
    runs = TickRuns(ticks, RunsOfTest(), nothing, table, print)
    ticker = Ticker(ticks, table, runs, code, print)
    began = time.process_time()
    await ticker.begin()
    while len(table.schedules) < LOCATIONS * EACH:  # noqa: ASYNC110  nothing tells
        await asyncio.sleep(0.05)
    start = time.process_time() - began
    looks, began = ticker.looks, time.process_time()
    await asyncio.sleep(WATCHED)
    rest = (time.process_time() - began) / WATCHED
    await ticker.close()
    book.close()
    assert start < START
    assert rest < REST
    assert ticker.looks - looks < WATCHED
