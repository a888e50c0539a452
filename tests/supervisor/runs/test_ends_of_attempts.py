"""What becomes of a run when its process, its location's runner or its fork server dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codelocd.daemon.application import Application
from codelocd.daemon.location import Location
from codelocd.model import Config
from codelocd.process.child import Children
from codelocd.process.tasks import Subtree
from codelocd.runs import step
from codelocd.runs.events import AttemptEnded, CancelAsked
from codelocd.runs.model import RunId, RunPolicy, RunState, RunWish
from tests.supervisor.runners.launching import until
from tests.supervisor.runs.attempting import DEADLINE, OneKeeper, loaded, paths_in

CODE = """
import os, time
from codeloc import Definitions, asset, job
@job
def work(context):
    print("attempt", context.attempt, flush=True)
@job
def waits(context):
    print("attempt", context.attempt, flush=True)
    while not os.path.exists("go"):
        time.sleep(0.02)
    os.path.exists("leave") and os._exit(7)
@job
def stays(context):
    import atexit
    atexit.register(waits.function, context)
@job
def crashes():
    import ctypes
    print("about to crash", flush=True)
    ctypes.string_at(0)  # line 21
@job
def leaves(context):
    print("about to leave", flush=True)
    os._exit(7)
@job
def dies_at_exit():
    import atexit
    atexit.register(os.kill, os.getpid(), 9)
@job
def leaves_a_thread(context):
    import threading
    threading.Thread(target=lambda: waits.function(context), name="poller").start()
defs = Definitions(jobs=[work, waits, stays, crashes, leaves, dies_at_exit, leaves_a_thread])
"""
HOSTILE = """
import builtins, os, resource, sys
from codeloc import Definitions, job
@job
def replaces():
    for module, name in [(os, "rename"), (os, "fsync"), (os, "write"), (os, "open"), (os, "stat"),
                         (os, "fstat"), (os, "close"), (os, "getpid"), (os, "_exit"),
                         (os.path, "join"), (builtins, "open"), (builtins, "print")]:
        setattr(module, name, None)
@job
def leaks():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            os.dup(0)
    except OSError:
        pass
@job
def has_no_room():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
@job
def closes():
    os.close(2)
    raise ValueError("of closes")
@job
def redirects():
    with open(os.devnull, "w") as sys.stderr: pass
    raise ValueError("of redirects")
@job
def interrupts():
    raise KeyboardInterrupt("of interrupts")
defs = Definitions(jobs=[replaces, leaks, has_no_room, closes, redirects, interrupts])
"""


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    application = Application(Config(()), paths_in(state), lambda _: None, development=False)
    yield application
    await application.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr(step, "TRANSIENT_SECONDS", 0.0)


def allow_files(location: Location, count: int | None) -> None:
    """For attempts that start from now on; with too few, one ends before any user code."""
    policy = replace(location.spec.policy, open_files=count)
    location.spec = replace(location.spec, policy=policy)


async def begun(keeper: OneKeeper, policy: RunPolicy) -> RunId:
    """A run whose job waits for the file `go`, and has printed."""
    number = await keeper.begin(RunWish("x", job="waits", policy=policy))
    await until(lambda: keeper.printed(number) == ["attempt 1"])
    return number


async def test_an_attempt_that_ends_before_user_code_starts_again(
    application: Application, tmp_path: Path
) -> None:
    location = await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    allow_files(location, 3)
    number = await keeper.begin(RunWish("x", job="work"))
    await keeper.until(number, RunState.QUEUED)
    attempt = keeper.runs[number].attempt
    assert attempt is not None
    assert attempt.summary == "its process ended before any user code, with status 3"
    allow_files(location, None)
    run = await keeper.ended(number)
    assert run.state is RunState.SUCCEEDED
    assert [each.number for each in run.attempts] == [1]
    assert run.attempts[0].false_starts == 1


async def test_three_that_end_before_user_code_are_a_failure_of_the_load(
    application: Application, tmp_path: Path
) -> None:
    location = await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    allow_files(location, 3)
    run = await keeper.run()
    assert (run.state, run.why) == (RunState.FAILED, "load")
    ends = [each for each in keeper.events if isinstance(each, AttemptEnded)]
    assert [each.exit for each in ends] == [3, 3, 3]


async def test_an_attempt_that_is_killed_before_user_code_starts_again_three_times(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it has the word to begin, so that it cannot have begun."""
    await loaded(application, tmp_path, CODE)
    keeper, hold, left = OneKeeper(application), Children.hold, 1

    def killed(self: Children, pid: int, record: Mapping[str, Any]) -> None:
        nonlocal left
        if left > 0:
            os.kill(pid, signal.SIGKILL)
        left -= 1
        hold(self, pid, record)

    monkeypatch.setattr(Children, "hold", killed)
    run = await keeper.run()
    assert (run.state, len(run.attempts), run.attempts[0].false_starts) == (
        RunState.SUCCEEDED,
        1,
        1,
    )
    left = 3
    run = await keeper.run()
    assert (run.state, run.why) == (RunState.FAILED, "load")
    assert run.summary == "its process ended before any user code by signal 9"
    assert (left, keeper.printed(run.id)) == (0, [])


async def test_an_attempt_that_is_killed_in_user_code_is_repeated_by_policy(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    number = await begun(keeper, RunPolicy(retries=1, retry_delay=0.01))
    attempt = keeper.runs[number].attempt
    assert attempt is not None
    assert attempt.pid is not None
    os.kill(attempt.pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    run = await keeper.ended(number)
    assert run.state is RunState.SUCCEEDED
    assert [(each.state, each.why, each.signal) for each in run.attempts] == [
        (RunState.FAILED, "signal", signal.SIGKILL),
        (RunState.SUCCEEDED, None, None),
    ]
    assert keeper.printed(number) == ["attempt 1", "attempt 2"]


@pytest.mark.parametrize(
    ("job", "why", "summary", "printed"),
    [
        ("crashes", "signal", "its process was killed by SIGSEGV (x.py:21)", "about to crash"),
        ("leaves", "exit", "its process exited with status 7", "about to leave"),
    ],
)
async def test_one_that_ends_by_itself_says_where_and_what_it_printed_last(
    application: Application, tmp_path: Path, job: str, why: str, summary: str, printed: str
) -> None:
    await loaded(application, tmp_path, CODE)
    run = await OneKeeper(application).run(job)
    assert (run.state, run.why) == (RunState.FAILED, why)
    assert run.summary is not None
    assert run.summary.startswith(summary)
    assert run.attempt is not None
    assert run.attempt.problem is not None
    assert printed in run.attempt.problem["detail"]


async def test_an_attempt_that_dies_after_its_result_has_that_result(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, CODE)
    run = await OneKeeper(application).run("dies_at_exit")
    assert run.state is RunState.SUCCEEDED
    assert run.attempt is not None
    assert run.attempt.signal == signal.SIGKILL, "how its process ended is noted"


async def test_what_user_code_does_to_its_process_changes_no_result(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, HOSTILE)
    keeper = OneKeeper(application)
    for job in ("replaces", "leaks"):
        run = await keeper.run(job)
        assert (run.state, run.summary) == (RunState.SUCCEEDED, None), run
    for job, error in (("closes", "ValueError"), ("redirects", "ValueError"), ("interrupts", "K")):
        run = await keeper.run(job)
        assert (run.state, run.why, run.steps[0]["state"]) == (
            RunState.FAILED,
            "exception",
            "failed",
        )
        assert run.steps[0]["summary"].startswith(error), run
    last = [line for line in keeper.printed(run.id) if line.endswith(": of interrupts")]
    assert last == ["KeyboardInterrupt: of interrupts"]
    run = await keeper.run("has_no_room")
    told = "its result could not be stored: [Errno 24] Too many open files"
    assert run.why == "exit"
    assert run.summary is not None
    assert run.summary.startswith(told)


async def test_a_run_goes_on_where_its_runner_dies(
    application: Application, tmp_path: Path
) -> None:
    location = await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    number = await begun(keeper, RunPolicy())
    served = location.serving
    assert served is not None
    served.handle.kill()
    await asyncio.wait_for(served.handle.exited, DEADLINE)
    before = await keeper.begin(RunWish("x", job="work"))  # nothing serves, and the code is known
    assert (await keeper.ended(before)).state is RunState.SUCCEEDED
    assert keeper.runs[number].state is RunState.RUNNING
    (tmp_path / "go").touch()
    assert (await keeper.ended(number)).state is RunState.SUCCEEDED


async def forking(application: Application, folder: Path) -> Location:
    """A location whose attempts are forked from its warm interpreter."""
    location = await loaded(application, folder, CODE, start_method="fork")
    application.daemon.reload(location)
    await asyncio.wait_for(location.settled(), DEADLINE)
    await until(lambda: application.warm.warm_interpreter("x") is not None)
    return location


def kill_its_origins(application: Application, location: Location) -> None:
    """The runner of the location, and the warm interpreter that its attempts come from."""
    server, served = application.warm.warm_interpreter("x"), location.serving
    assert server is not None
    assert served is not None
    os.kill(server.pid, signal.SIGKILL)
    served.handle.kill()


async def test_an_attempt_begins_where_its_fork_server_and_its_runner_have_just_died(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They die before it has the word to begin."""
    location, hold = await forking(application, tmp_path), Children.hold

    def killed(self: Children, pid: int, record: Mapping[str, Any]) -> None:
        if record["kind"] == "run":
            kill_its_origins(application, location)
        hold(self, pid, record)

    monkeypatch.setattr(Children, "hold", killed)
    keeper = OneKeeper(application)
    run = await keeper.run()
    assert (run.state, keeper.printed(run.id)) == (RunState.SUCCEEDED, ["attempt 1"])
    (attempt,) = run.attempts
    assert (attempt.start_method, attempt.exit, attempt.false_starts) == ("fork", 0, 0)
    served = location.serving
    await until(lambda: served is None or served.handle.exited.done())


async def test_a_result_counts_where_fork_server_and_runner_die_after_it(
    application: Application, tmp_path: Path
) -> None:
    location, keeper = await forking(application, tmp_path), OneKeeper(application)
    number = await keeper.begin(RunWish("x", job="stays", policy=RunPolicy(retries=1)))
    await until((application.run_base.folders.of_runs.of(number) / "result.1").exists)
    server, served = application.warm.warm_interpreter("x"), location.serving
    assert server is not None
    assert served is not None
    kill_its_origins(application, location)
    await until(lambda: not server.lives)
    await asyncio.wait_for(served.handle.exited, DEADLINE)
    assert keeper.runs[number].state is RunState.RUNNING, "its process is there"
    (tmp_path / "go").touch()
    run = await keeper.ended(number)
    assert (run.state, len(run.attempts)) == (RunState.SUCCEEDED, 1)
    assert keeper.printed(number) == ["attempt 1"]
    assert run.attempts[0].start_method == "fork"


async def test_a_result_counts_of_a_run_that_a_shutdown_ends_after_it(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    number = await keeper.begin(RunWish("x", job="stays", policy=RunPolicy(stop_timeout=0.1)))
    await until((application.run_base.folders.of_runs.of(number) / "result.1").exists)
    keeper.tell(number, CancelAsked(shutdown=True))
    run = await keeper.ended(number)
    assert (run.state, run.why, run.stopping) == (RunState.SUCCEEDED, None, "shutdown")
    assert run.attempts[0].signal in (signal.SIGTERM, signal.SIGKILL), "it was ended"


async def test_a_run_goes_on_where_its_fork_server_dies(
    application: Application, tmp_path: Path
) -> None:
    await forking(application, tmp_path)
    keeper = OneKeeper(application)
    number = await begun(keeper, RunPolicy())
    server = application.warm.warm_interpreter("x")
    assert server is not None
    attempt = keeper.runs[number].attempt
    assert attempt is not None
    assert attempt.start_method == "fork"
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not server.lives)
    next_one = await keeper.run()
    assert next_one.state is RunState.SUCCEEDED
    assert next_one.attempt is not None
    assert next_one.attempt.start_method in ("spawn", "fork"), "on its own, or from a new one"
    assert next_one.attempt.start_why
    (tmp_path / "go").touch()
    run = await keeper.ended(number)
    assert run.state is RunState.SUCCEEDED
    assert run.attempt is not None
    assert run.attempt.exit == 0, "its end was noticed: it is the daemon's child by then"


async def test_an_attempt_that_another_process_has_is_waited_for(
    application: Application, tmp_path: Path
) -> None:
    """Of an earlier daemon, which no holder kept: it had not begun when this daemon looked."""
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    folder = application.run_base.folders.of_runs.of(RunId(1))
    folder.mkdir(parents=True)
    lock = os.open(folder / "lock.1", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    number = await keeper.begin(RunWish("x", job="work"))
    await until(lambda: any("another process holds" in line for line in keeper.printed(number)))
    (folder / "begun.1").touch()
    (folder / "result.1").write_text('{"state": "succeeded", "steps": []}')
    assert keeper.runs[number].state is RunState.STARTING
    os.close(lock)
    assert (await keeper.ended(number)).state is RunState.SUCCEEDED


async def test_what_the_kernel_ended_for_its_memory_says_so(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a folder in place of a control group: what a kernel writes there, the test does."""
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    groups = tmp_path / "groups"
    groups.mkdir()
    monkeypatch.setattr(application.limits, "_groups", Subtree(groups))
    number = await begun(keeper, RunPolicy(memory_limit=50 * 1024 * 1024))
    (group,) = groups.iterdir()
    attempt = keeper.runs[number].attempt
    assert attempt is not None
    assert attempt.pid is not None
    assert (group / "memory.max").read_text() == str(50 * 1024 * 1024)
    assert (group / "cgroup.procs").read_text() == "0", "its process has put itself there"
    (group / "memory.events").write_text("oom 1\noom_kill 1\n")
    os.kill(attempt.pid, signal.SIGKILL)
    run = await keeper.ended(number)
    assert (run.state, run.why) == (RunState.FAILED, "memory")
    assert run.summary == "the kernel ended the run, which needed more than memory_limit = 50 MiB"


@pytest.mark.parametrize("is_anothers", [False, True])
async def test_a_run_whose_folder_is_removed_has_its_result_and_does_not_happen_again(
    application: Application, tmp_path: Path, is_anothers: bool
) -> None:
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    number = await begun(keeper, RunPolicy())
    folder = application.run_base.folders.of_runs.of(number)
    shutil.rmtree(folder)
    if is_anothers:
        folder.mkdir()
        (folder / "lock.1").touch()
    (tmp_path / "go").touch()
    run = await keeper.ended(number)
    assert run.attempts[0].false_starts == 0
    assert keeper.printed(number)[0] == "attempt 1"
    if is_anothers:
        assert (run.state, run.why) == (RunState.FAILED, "exit")
        assert keeper.printed(number)[1].startswith("the result cannot be stored")
    else:
        assert run.state is RunState.SUCCEEDED


async def test_a_run_that_leaves_no_result_since_its_folder_was_removed_says_so(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    number = await begun(keeper, RunPolicy())
    folder = application.run_base.folders.of_runs.of(number)
    shutil.rmtree(folder)
    (tmp_path / "leave").touch()
    (tmp_path / "go").touch()
    run = await keeper.ended(number)
    assert (run.state, run.why) == (RunState.FAILED, "exit")
    assert run.summary == f"its folder {folder} was removed while it ran"


@pytest.mark.slow
async def test_a_run_waits_for_threads_that_its_code_has_left_and_says_so(
    application: Application, tmp_path: Path
) -> None:
    await loaded(application, tmp_path, CODE)
    keeper = OneKeeper(application)
    number = await keeper.begin(RunWish("x", job="leaves_a_thread"))
    told = "codelocd: waits for threads that the code has left: poller"
    await until(lambda: told in keeper.printed(number))
    assert keeper.runs[number].state is RunState.RUNNING
    (tmp_path / "go").touch()
    assert (await keeper.ended(number)).state is RunState.SUCCEEDED
