"""The loop's clock: what it does not count, and what it does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from codelocd.process.event_loop import LAG, SteadyLoop


class Clock:
    """One that a test moves; `jump` seconds pass within the next look at it but one."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop(clock: Clock) -> Iterator[SteadyLoop]:
    made = SteadyLoop(clock)
    yield made
    made.close()


def turns(loop: SteadyLoop, *between: Callable[[], None]) -> None:
    """Let the loop go round, and have these done in the turns of their own."""

    async def run() -> None:
        for each in between:
            each()
            await asyncio.sleep(0)

    loop.run_until_complete(run())


def test_promise_5_time_in_which_the_daemon_was_stopped_does_not_count(
    loop: SteadyLoop, clock: Clock
) -> None:
    rang: list[float] = []
    began = loop.time()
    loop.call_later(10.0, lambda: rang.append(loop.time()))

    def stopped() -> None:
        clock.now += 60.0

    turns(loop, stopped, lambda: None)
    assert (rang, loop.time() - began) == ([], 0.0)


def test_time_that_passes_in_small_steps_counts(loop: SteadyLoop, clock: Clock) -> None:
    rang: list[float] = []
    began = loop.time()
    loop.call_later(2.0, lambda: rang.append(loop.time()))

    def a_moment() -> None:
        clock.now += LAG

    turns(loop, a_moment, a_moment, lambda: None)
    assert [at - began for at in rang] == [2 * LAG]


def test_promise_8_the_time_of_day_plays_no_part() -> None:
    """What is asked for the time is the kernel's monotonic clock, which cannot be set."""
    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SteadyLoop)
        assert loop._clock.__name__ == "monotonic"
        assert loop.time is loop._clock  # without a function of ours, until time is lost


HANGS = """
import asyncio, sys, threading
from codelocd.process.event_loop import SteadyLoop, end_at_last

async def main():
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)

with asyncio.Runner(loop_factory=SteadyLoop) as runner:
    runner.run(main())
    end_at_last(0.2)
"""


def test_a_thread_that_hangs_does_not_hold_up_the_end_of_a_process_and_is_told() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("codelocd: threads that had not ended after 0.2 s:")
    assert "in wait" in done.stderr
