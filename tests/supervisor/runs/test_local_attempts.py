"""Attempts of runs as processes of a daemon: from what is served, to their end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from codelocd.daemon.application import Application
from codelocd.daemon.runs.event_pipe import EventsRead
from codelocd.model import Config
from codelocd.placement import Placement
from codelocd.runs import step
from codelocd.runs.events import CancelAsked, StartAttempt
from codelocd.runs.model import RunId, RunPolicy, RunState, RunWish
from codelocd.runs.names import chosen
from tests.supervisor.runners.launching import until
from tests.supervisor.runs.attempting import DEADLINE, OneKeeper, loaded, paths_in

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


async def test_what_was_prepared_is_what_starts_or_leaves_nothing(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, code())
    keeper = OneKeeper(application)
    keeper.prepares = True
    folders = application.run_base.folders.of_runs
    left = folders.of(RunId(1))  # of a run that a daemon was killed over: no book has it
    left.mkdir(parents=True)
    (left / "begun.1").touch()
    run = await keeper.run()
    assert (run.id, run.state) == (1, RunState.SUCCEEDED)
    other = replace(run, id=RunId(2))
    keeper.attempts.prepare(other, StartAttempt(1))
    await until(lambda: (folders.of(other.id) / "order.1").exists())
    keeper.attempts.call_off(other.id)
    run = await keeper.run()  # which has the number of the other one
    assert (run.id, run.state) == (other.id, RunState.SUCCEEDED)
    keeper.attempts.prepare(replace(run, id=RunId(3)), StartAttempt(1))
    keeper.attempts.call_off(RunId(3))
    await until(lambda: not folders.of(RunId(3)).exists())
    assert not any("/events.1" in each for each in opened_files())


def opened_files() -> list[str]:
    """Of this process."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return found


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


GROWS = """
import time
kept = bytearray(300_000_000)
kept[::4096] = b"x" * len(kept[::4096])
time.sleep(60)
"""
FORKS = """
import subprocess, sys, time
rest = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(30)]
time.sleep(60)
"""
TREE = '''
import os, time
def below(level):
    """Three levels of children; the last one is in a session of its own, its parent gone."""
    if os.fork():
        return
    if level == 3:
        os.setsid()
        if os.fork():
            os._exit(0)
    else:
        below(level + 1)
    with open(os.path.join({folder!r}, str(os.getpid())), "w"):
        pass
    time.sleep(120)
    os._exit(0)
below(1)
time.sleep(120)
'''


def job_that(does: str) -> str:
    body = "\n    ".join(does.strip().splitlines())
    lines = ["from codeloc import Definitions, job", "@job", "def work():", f"    {body}"]
    return "\n".join([*lines, "defs = Definitions(jobs=[work])", ""])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what memory is whose")
async def test_memory_over_the_limit_of_the_run_ends_it(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, job_that(GROWS))
    keeper = OneKeeper(application)
    policy = RunPolicy(memory_limit=150_000_000)
    run = await keeper.ended(await keeper.begin(RunWish("x", job="work", policy=policy)))
    assert (run.state, run.why) == (RunState.FAILED, "memory")
    assert run.summary is not None
    assert "150 MB" in run.summary or "143 MiB" in run.summary, run.summary
    assert run.attempt is not None
    assert run.attempt.signal == signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which processes descend")
async def test_tasks_over_the_limit_of_the_location_end_the_run(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, job_that(FORKS), tasks_limit=20)
    run = await OneKeeper(application).run()
    assert (run.state, run.why) == (RunState.FAILED, "signal")
    assert run.summary is not None
    assert "tasks_limit = 20" in run.summary


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to a subreaper")
async def test_a_killed_run_leaves_no_process(application: Application, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    await loaded(application, tmp_path, job_that(TREE.format(folder=str(seen))))
    keeper = OneKeeper(application)
    numbers = [await keeper.begin(RunWish("x", job="work")) for _ in range(5)]
    await until(lambda: len(os.listdir(seen)) >= 3 * len(numbers))
    pids = [int(name) for name in os.listdir(seen)]
    for number in numbers:
        attempt = keeper.runs[number].attempt
        assert attempt is not None
        assert attempt.pid is not None
        os.kill(attempt.pid, signal.SIGKILL)
    for number in numbers:
        assert (await keeper.ended(number)).why == "signal"
    await until(lambda: not any(map(psutil.pid_exists, pids)))


async def test_a_run_that_is_asked_to_end_closes_what_it_has(
    application: Application, tmp_path: Path
) -> None:
    does = "import time\ntry:\n    print('begun', flush=True)\n    time.sleep(60)\nfinally:\n"
    await loaded(application, tmp_path, job_that(does + "    print('closed', flush=True)"))
    keeper = OneKeeper(application)
    number = await keeper.begin(RunWish("x", job="work"))
    await until(lambda: keeper.printed(number) == ["begun"])
    keeper.tell(number, CancelAsked())
    run = await keeper.ended(number)
    assert run.state is RunState.CANCELLED
    assert keeper.printed(number) == ["begun", "closed"]


async def test_a_save_during_a_run_changes_nothing_of_it(
    application: Application, tmp_path: Path
) -> None:
    more = """
import time
@job
def waits():
    print("begun", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.02)
    raise ValueError("late")  # line of {said}
"""
    text = code("the old", more.format(said="the old")).replace("jobs=[", "jobs=[waits, ")
    location = await loaded(application, tmp_path, text)
    keeper = OneKeeper(application)
    number = await keeper.begin(RunWish("x", job="waits"))
    await until(lambda: keeper.printed(number) == ["begun"])
    (tmp_path / "x.py").write_text("#\n#\n" + text.replace("the old", "the new"))
    application.daemon.reload(location)
    await asyncio.wait_for(location.settled(), DEADLINE)
    (tmp_path / "go").touch()
    run = await keeper.ended(number)
    assert "# line of the old" in run.steps[0]["problem"]["detail"]
    assert "the new" not in str(run.steps)
    after = await keeper.run()
    assert (after.generation, run.generation) == (2, 1)
    assert "generation 2 says the new" in keeper.printed(after.id)


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.slow)])
async def test_runs_in_the_middle_of_checkouts_are_of_one_version(
    application: Application, tmp_path: Path, count: int
) -> None:
    """Two modules that are always saved together, one after the other, and reloaded meanwhile."""
    text = (
        "import one, two\nfrom codeloc import Definitions, job\n@job\ndef work(context):\n"
        "    import one, two\n    context.add_metadata(one=one.N, two=two.N)\n"
        "defs = Definitions(jobs=[work])\n"
    )
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text("N = 0\n")
    location = await loaded(application, tmp_path, text)
    keeper = OneKeeper(application)
    await keeper.codes.ready("x")
    is_over = asyncio.Event()

    async def check_out() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            for name in ("one", "two"):
                (tmp_path / "part").write_text(f"N = {number}\n")  # one that is half written loads
                (tmp_path / "part").replace(tmp_path / f"{name}.py")
                await asyncio.sleep(0.005)
            if number % 20 == 0:
                application.daemon.reload(location)
                await asyncio.wait_for(location.settled(), DEADLINE)

    checking_out = asyncio.create_task(check_out())
    seen = []
    for _ in range(count):
        run = await keeper.run()
        assert run.state is RunState.SUCCEEDED, run
        told = run.steps[0]["metadata"]
        seen.append((run.generation, told["one"], told["two"]))
    is_over.set()
    await checking_out
    by_generation = {generation: (one, two) for generation, one, two in seen}
    assert all(by_generation[generation] == (one, two) for generation, one, two in seen)


async def test_runs_of_a_location_on_an_engine_are_refused_in_one_line(
    application: Application, tmp_path: Path
) -> None:
    location = await loaded(application, tmp_path, code())
    keeper = OneKeeper(application)
    assert keeper.attempts.runnable("x") is None
    location.spec = replace(location.spec, placement=Placement(engine="ray"))
    refused = keeper.attempts.runnable("x")
    assert refused is not None
    assert refused.startswith("x is placed on an engine, and runs are carried out on this machine")


async def test_what_a_stopped_location_served_is_not_its_last_good_code(
    application: Application, tmp_path: Path
) -> None:
    location = await loaded(application, tmp_path, code())
    keeper = OneKeeper(application)
    await keeper.codes.ready("x")
    application.daemon.stop(location)
    await asyncio.wait_for(location.settled(), DEADLINE)
    assert keeper.codes.of("x") is None
    assert keeper.codes.why_none("x") == "x is stopped: `codelocd start x`"
    (tmp_path / "x.py").write_text("import nothing_of_that_name\n")
    application.daemon.start(location)
    await asyncio.wait_for(location.settled(), DEADLINE)
    await keeper.codes.ready("x")
    assert keeper.codes.of("x") is None
    assert keeper.codes.why_none("x").startswith("x has not loaded: ModuleNotFoundError")


async def test_a_working_directory_that_is_gone_is_said_so(
    application: Application, tmp_path: Path
) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    await loaded(application, folder, code())
    keeper = OneKeeper(application)
    await keeper.codes.ready("x")
    folder.rename(tmp_path / "elsewhere")
    run = await keeper.run()
    assert (run.state, run.why) == (RunState.FAILED, "load")
    assert run.summary == f"the working directory {folder} does not exist"


async def test_a_folder_of_runs_that_was_removed_is_made_again(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "TRANSIENT_SECONDS", 0.0)
    await loaded(application, tmp_path, code())
    keeper = OneKeeper(application)
    assert (await keeper.run()).state is RunState.SUCCEEDED
    shutil.rmtree(application.run_base.folders.root)
    run = await keeper.run()
    assert run.state is RunState.SUCCEEDED
    assert run.attempts[0].false_starts == 1
    assert keeper.codes.texts(run.manifest)


async def test_a_location_with_very_many_definitions_runs_by_name(
    application: Application, tmp_path: Path
) -> None:
    """What it lists is made on another thread, and its snapshot has none of it."""
    more = "assets = [asset(name=f'a{n}')(lambda: 1) for n in range(4000)]\n"
    text = code(more=more).replace("assets=[one, two]", "assets=[one, two, *assets]")
    await loaded(application, tmp_path, text)
    keeper = OneKeeper(application)
    await keeper.codes.ready("x")
    served = keeper.codes.of("x")
    assert served is not None
    choice = chosen(["work"], [], "x", served.definitions)
    assert choice.job == "work"
    assert len(served.definitions) == 4004


@pytest.mark.slow
async def test_a_daemon_that_starts_with_broken_code_runs_the_last_good(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)

    async def daemon(text: str) -> tuple[Application, OneKeeper]:
        shutil.rmtree(state / "runs" / "1", ignore_errors=True)  # each has a run of that number
        application = Application(Config(()), paths_in(state), lambda _: None, development=False)
        location = await loaded(application, tmp_path, text)
        assert (location.serving is None) is text.startswith("def (")
        return application, OneKeeper(application)

    application, keeper = await daemon(code("the old"))
    before = await keeper.run()
    await application.close()
    for text, says in (("def (", "the old"), (code("the new"), "the new")):
        application, keeper = await daemon(text)
        run = await keeper.run()
        assert run.state is RunState.SUCCEEDED
        assert keeper.printed(run.id)[-1].endswith(says)
        assert (run.manifest == before.manifest) is (says == "the old")
        assert keeper.codes.manifests() == {run.manifest}, "what may be run is not removed"
        await application.close()
    application, keeper = await daemon("def (")
    application.daemon.stop(application.locations["x"])
    await application.close()
    application, keeper = await daemon("def (")
    await keeper.codes.ready("x")
    assert keeper.codes.of("x") is None, "what was stopped has no last good code"
    await application.close()


async def test_an_event_pipe_that_never_gets_empty_does_not_hold_up_the_end_of_a_run() -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(["yes"], stdout=writing) as writer:
        os.close(writing)
        pipe = EventsRead(reading, lambda _: None)
        pipe.begin()
        pipe.finish()
        assert await asyncio.to_thread(writer.wait, DEADLINE) == -signal.SIGPIPE
