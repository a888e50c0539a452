"""Each tick once, however often the daemon is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codelocd.runs.book import RunBook
from codelocd.runs.tick_book import TickBook
from tests.supervisor.runs.ticking import PLACE
from tests.supervisor.runs.ticking_daemon import START

ROOT = Path(__file__).parents[3]
DEADLINE = 120.0
EARLIEST = START + 30


def killed_again_and_again(folder: Path, minutes: int, kills: int) -> None:
    """Daemons, one after the other, until all is done; the last one is left alone."""
    chance = random.Random(minutes)
    module = "tests.supervisor.runs.ticking_daemon"
    for number in range(kills + 1):
        words = [str(folder), str(later(folder, chance.uniform(0.0, 300.0))), str(minutes)]
        daemon = subprocess.Popen(
            [sys.executable, "-m", module, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert daemon.stdout is not None
        try:
            assert daemon.stdout.readline() == "begun\n"
            if number == kills:
                assert daemon.wait(DEADLINE) == 0
            else:
                time.sleep(chance.uniform(0.0, 0.3))  # it is killed while it is at something
        finally:
            daemon.kill()
            daemon.wait()
            daemon.stdout.close()


def later(folder: Path, seconds: float) -> float:
    """What the clock shows when the next daemon begins: so long after the last tick."""
    book = RunBook(folder / "book.sqlite")
    try:
        kept = TickBook(book).schedules().result().get(PLACE)
    finally:
        book.close()
    return START if kept is None else kept.cursor + seconds


def check_each_once(folder: Path, minutes: int) -> None:
    book = RunBook(folder / "book.sqlite")
    try:
        rows = TickBook(book).ticks(PLACE, minutes + 10).result()
        runs = book.listed(limit=minutes + 10).result()
    finally:
        book.close()
    expected = [EARLIEST + 60.0 * each for each in range(minutes)]
    assert [each.scheduled_for for each in rows[::-1]] == expected
    assert {each.state for each in rows} == {"run"}
    started = sorted(number for each in rows for number in each.runs)
    assert started == sorted(run.id for run in runs)
    assert sorted(run.wish.scheduled_for or 0.0 for run in runs) == expected


def test_each_of_sixty_ticks_is_one_run_though_the_daemon_is_killed(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, minutes=60, kills=4)
    check_each_once(tmp_path, 60)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_of_a_thousand_ticks_is_one_run_though_the_daemon_is_killed(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, minutes=1000, kills=60)
    check_each_once(tmp_path, 1000)
