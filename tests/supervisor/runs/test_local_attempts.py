"""Attempts of runs as processes of a daemon: from what is served, to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codelocd.daemon.application import Application
from codelocd.model import Config
from codelocd.runs.model import RunState
from tests.supervisor.runs.attempting import OneKeeper, loaded, paths_in

CODE = """
import os, sys
from codeloc import Definitions, asset, job
{more}
@job
def work(context):
    print("generation", context.generation, "says {said}", flush=True)
    context.add_metadata(pid=os.getpid())
@job
def fail(context):
    raise ValueError("{said}")  # here {said}
@asset
def one(): return 1
@asset
def two(one): return one + 1
defs = Definitions(assets=[one, two], jobs=[work, fail])
"""


def code(said: str = "this", more: str = "") -> str:
    return CODE.format(said=said, more=more)


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    application = Application(Config(()), paths_in(state), lambda _: None, development=False)
    yield application
    await application.close()


async def test_an_attempt_runs_what_is_served(application: Application, tmp_path: Path) -> None:
    await loaded(application, tmp_path, code())
    keeper = OneKeeper(application)
    run = await keeper.run()
    assert (run.state, run.generation) == (RunState.SUCCEEDED, 1), run
    assert run.attempt is not None
    assert run.attempt.start_method in ("fork", "spare", "spawn")
    assert run.steps[0]["metadata"] == {"pid": run.attempt.pid}
    assert (run.attempt.exit, run.late) == (0, {})
    assert "generation 1 says this" in keeper.printed(run.id)
    assert [each["event"] for each in keeper.heard][:1] == ["begun"]
    assert keeper.heard[-1]["event"] == "result"
    folder = application.run_base.folders.of_runs.of(run.id)
    assert sorted(each.name for each in folder.iterdir()) == [
        "begun.1",
        "lock.1",
        "order.1",
        "result.1",
    ]
    texts = keeper.codes.texts(run.manifest)
    assert texts == {str(tmp_path / "x.py"): code()}


async def test_last_good_code_runs_where_the_newest_does_not_load(
    application: Application, tmp_path: Path
) -> None:
    location = await loaded(application, tmp_path, code("the old"))
    keeper = OneKeeper(application)
    await keeper.codes.ready("x")
    (tmp_path / "x.py").write_text("import nothing_of_that_name\n")
    application.daemon.reload(location)
    await asyncio.wait_for(location.settled(), 60)
    assert location.state.problem is not None
    run = await keeper.run("fail")
    problem = run.steps[0]["problem"]
    assert run.state is RunState.FAILED
    assert "# here the old" in problem["detail"], "the traceback shows the line that ran"
    served = location.serving
    assert served is not None
    served.handle.kill()  # its runner dies, too, and no other loads
    await asyncio.wait_for(served.handle.exited, 60)
    run = await keeper.run()
    assert run.state is RunState.SUCCEEDED
    assert "generation 1 says the old" in keeper.printed(run.id)
