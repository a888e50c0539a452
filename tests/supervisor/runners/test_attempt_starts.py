"""Attempts of runs from a warm interpreter, forked or not, and on their own."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.runners.attempts import AttemptPipes, AttemptStart, process_part
from codelocd.runners.warm import launcher
from codelocd.runs.encoding import order_part
from codelocd.runs.events import Moment, RunAdmitted, StartAttempt
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.step import step
from tests.pythons import EXTREMES, interpreter
from tests.supervisor.runners.launching import DEADLINE, Bench, until

SOURCE = """
import decimal, os
from codeloc import Definitions, job
@job
def show(context):
    print("run", context.run, "with", os.environ["CODELOCD_CHILD"] != "", flush=True)
    context.add_metadata(pid=os.getpid())
defs = Definitions(jobs=[show])
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch) -> None:
    """The next spare is made at once."""
    monkeypatch.setattr(launcher, "QUIET", 0.0)


class Attempts:
    """Attempts of one location, in the order of their numbers."""

    def __init__(self, bench: Bench, tmp_path: Path) -> None:
        self.bench = bench
        self.folders = RunFolders(tmp_path / "runs")
        self.count = 0

    async def run(self, spec: Any) -> tuple[str, dict[str, Any], list[dict[str, Any]], int]:
        """How it was started, its result, its events, its process."""
        self.count += 1
        record = RunRecord(RunId(self.count), "u", RunWish("sales", job="show"), 0.0)
        record, (effect,) = step(record, RunAdmitted(generation=7), Moment(0, 0))
        assert isinstance(effect, StartAttempt)
        reading, writing = os.pipe()
        pipes = AttemptPipes(writing)
        order = {**order_part(record, effect.done), **process_part(spec, pipes)}
        path = self.folders.write_order(record.id, effect.number, order)
        try:
            async with asyncio.timeout(DEADLINE):
                child, choice = await self.bench.launcher.attempt(AttemptStart(spec, path, pipes))
                os.close(writing)
                await child.exited
        finally:
            events = written_to(reading)
        files = self.folders.look(record.id, effect.number)
        assert files.result is not None
        assert not files.lives
        return choice.method, dict(files.result), events, child.pid


def written_to(pipe: int) -> list[dict[str, Any]]:
    """Once all other ends are closed."""
    with os.fdopen(pipe, "rb") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("version", EXTREMES)
@pytest.mark.parametrize("method", ["fork", "spare", "spawn"])
async def test_an_attempt_starts_as_the_next_runner_would(
    bench: Bench, version: str, tmp_path: Path, method: Any
) -> None:
    spec = bench.spec(interpreter(version), SOURCE, start_method=method)
    for _ in range(2):
        (await bench.load(spec, method)).runner.kill()
    attempts = Attempts(bench, tmp_path)
    for number in (1, 2):
        if method != "spawn":
            await until(lambda: bench.launcher.warm_interpreter("sales") is not None)
        bench.printed.clear()
        spec = replace(spec, output=lambda _stream, data: bench.printed.append(data.decode()))
        how, result, events, pid = await attempts.run(spec)
        assert (how, result["state"]) == (method, "succeeded")
        assert result["steps"][0]["metadata"] == {"pid": pid}
        assert "".join(bench.printed) == f"run {number} with True\n"
        assert [each["event"] for each in events][0::6] == ["begun"]
        assert events[-1]["event"] == "result"


async def test_an_interpreter_that_is_replaced_carries_out_what_it_was_ordered(
    bench: Bench, tmp_path: Path
) -> None:
    spec = bench.spec(interpreter(EXTREMES[-1]), SOURCE, start_method="fork")
    for _ in range(2):
        (await bench.load(spec, "fork")).runner.kill()
    await until(lambda: bench.launcher.warm_interpreter("sales") is not None)
    warm, pool = bench.launcher.warm_interpreter("sales"), bench.pools.of_runner("sales")
    assert warm is not None
    assert pool is not None
    running = asyncio.ensure_future(Attempts(bench, tmp_path).run(spec))
    while not warm.is_held:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0)
    pool.retire()
    assert (warm.lives, warm.is_held) == (True, True)
    how, result, _, _ = await running
    assert (how, result["state"]) == ("fork", "succeeded")
    await until(lambda: not warm.lives)


async def test_code_of_another_environment_does_not_start_from_what_is_warm(
    bench: Bench, tmp_path: Path
) -> None:
    """The last good code of a location whose environment is another one by now."""
    spec = bench.spec(interpreter(EXTREMES[-1]), SOURCE, start_method="fork")
    for _ in range(2):
        (await bench.load(spec, "fork")).runner.kill()
    await until(lambda: bench.launcher.warm_interpreter("sales") is not None)
    attempts = Attempts(bench, tmp_path)
    former = replace(spec, environment="another")
    how, result, _, _ = await attempts.run(former)
    assert (how, result["state"]) == ("spawn", "succeeded")
    how, result, _, _ = await attempts.run(spec)
    assert (how, result["state"]) == ("fork", "succeeded")
