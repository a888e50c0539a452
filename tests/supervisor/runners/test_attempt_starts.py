"""Attempts of runs from a warm interpreter, forked or not, and on their own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon.runs.event_pipe import GoAhead
from codelocd.runners.attempts import AttemptPipes, AttemptStart, process_part
from codelocd.runners.warm import ahead, launcher
from codelocd.runners.warm.ordered import OrderedProcess
from codelocd.runs.encoding import order_part
from codelocd.runs.events import Moment, RunAdmitted, StartAttempt
from codelocd.runs.folder import RunFolders
from codelocd.runs.model import RunId, RunRecord, RunWish
from codelocd.runs.step import step
from tests.pythons import EXTREMES, interpreter
from tests.supervisor.runners.launching import DEADLINE, Bench, installed, until

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


NEWEST = interpreter(EXTREMES[-1])


class Attempts:
    """Attempts of one location, in the order of their numbers."""

    def __init__(self, bench: Bench, tmp_path: Path) -> None:
        self.bench = bench
        self.folders = RunFolders(tmp_path / "runs")
        self.count = 0

    async def run(
        self, spec: Any, *, of_run: bool = False
    ) -> tuple[str, dict[str, Any], list[dict[str, Any]], int]:
        """How it was started, its result, its events, its process. `of_run`: it waits for the word
        to begin, as attempts of runs do."""
        self.count += 1
        record = RunRecord(RunId(self.count), "u", RunWish("sales", job="show"), 0.0)
        record, (effect,) = step(record, RunAdmitted(generation=7), Moment(0, 0))
        assert isinstance(effect, StartAttempt)
        reading, writing = os.pipe()
        go = GoAhead()
        pipes = AttemptPipes(writing, go.reading if of_run else None)
        order = {**order_part(record, effect.done), **process_part(spec, pipes)}
        path = self.folders.write_order(record.id, effect.number, order)
        try:
            async with asyncio.timeout(DEADLINE):
                child, choice = await self.bench.launcher.attempt(AttemptStart(spec, path, pipes))
                os.close(writing)
                go.say()
                await child.exited
        finally:
            go.close()
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


async def warmed(bench: Bench, spec: Any) -> None:
    """Its next runner is forked."""
    for _ in range(2):
        (await bench.load(spec, "fork")).runner.kill()
    await until(lambda: bench.launcher.warm_interpreter("sales") is not None)


async def waiting(bench: Bench) -> OrderedProcess:
    """A fork that waits for the next attempt."""
    pool = bench.pools.of_runner("sales")
    assert pool is not None
    pool.ahead.expect(at_once=False)
    await until(lambda: pool.ahead.waiting is not None)
    assert pool.ahead.waiting is not None
    return pool.ahead.waiting


@pytest.mark.parametrize("version", EXTREMES)
async def test_an_attempt_of_a_run_is_what_was_forked_ahead(
    bench: Bench, version: str, tmp_path: Path
) -> None:
    spec = bench.spec(interpreter(version), SOURCE, start_method="fork")
    await warmed(bench, spec)
    attempts = Attempts(bench, tmp_path)
    one = await waiting(bench)
    one.look()
    bench.printed.clear()
    how, result, events, pid = await attempts.run(spec, of_run=True)
    assert (how, result["state"], pid) == ("fork", "succeeded", one.pid)
    assert "".join(bench.printed) == "run 1 with True\n"
    assert (events[0]["event"], events[-1]["event"]) == ("begun", "result")
    bench.launcher.expect_run("sales", at_once=True)  # as a run that is being recorded does
    how, result, _, pid = await attempts.run(spec, of_run=True)
    assert (how, result["state"]) == ("fork", "succeeded")
    left = await waiting(bench)
    how, _, _, pid = await attempts.run(spec)  # what is no run leaves it to the next one
    assert (how, left.lives, pid != left.pid) == ("fork", True, True)


@pytest.mark.parametrize("looks", [False, True])
async def test_what_was_forked_ahead_is_not_used_once_a_package_has_changed(
    bench: Bench, packages: Path, tmp_path: Path, looks: bool
) -> None:
    (packages / "lib.py").write_text("WORTH = 1\n")
    source = f"import lib\n{SOURCE}".replace("pid=os.getpid()", "worth=lib.WORTH")
    spec = installed(bench, NEWEST, packages, source, start_method="fork")
    await warmed(bench, spec)
    one = await waiting(bench)
    (packages / "lib.py").write_text("WORTH = 22\n")
    if looks:
        one.look()
    how, result, _, _ = await Attempts(bench, tmp_path).run(spec, of_run=True)
    assert (how, result["steps"][0]["metadata"]) == ("spawn", {"worth": 22})
    await until(lambda: not one.lives)


ENDS: dict[str, Callable[[Bench], Any]] = {
    "reload": lambda bench: bench.load(bench.spec(NEWEST, SOURCE, start_method="fork"), "fork"),
    "no more runs": lambda bench: bench.launcher.expect_no_runs(),
    "no more need": lambda bench: bench.pools.keep_for(0.0),
    "location gone": lambda bench: bench.launcher.forget("sales"),
    "end of the daemon": lambda bench: bench.launcher.close(),
}


@pytest.mark.parametrize("why", [*ENDS, "time"])
async def test_what_was_forked_ahead_ends(bench: Bench, why: str, monkeypatch) -> None:
    await warmed(bench, bench.spec(NEWEST, SOURCE, start_method="fork"))
    one = await waiting(bench)
    if why == "time":
        monkeypatch.setattr(ahead, "KEPT", 0.0)
        bench.launcher.expect_run("sales", at_once=False)
    else:
        ending = ENDS[why](bench)
        if asyncio.iscoroutine(ending):
            (await ending).runner.kill()
    await until(lambda: not one.lives)
    assert not Path(f"/proc/{one.pid}").exists()
