"""A daemon's rooms together, in the test's own process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import codeloc_envs
from codeloc_envs import Choice, Environment, EnvironmentProblem, Lease, Specification
from codelocd.daemon import preparation, start_limits, status
from codelocd.daemon.application import Application
from codelocd.daemon.location import Location, Running
from codelocd.daemon.loop import Daemon
from codelocd.model import Config, Exit, GrpcServer, LocationSpec, Phase, Policy, Target
from codelocd.rpc.errors import RpcError
from codelocd.runners.environments import Builder
from codelocd.storage.paths import DaemonPaths
from tests.supervisor import invariants

CACHE = Path(__file__).parents[2] / ".cache" / "tests" / "codelocd"
GOOD = "from codeloc import Definitions\ndefs = Definitions()\n"


@pytest.fixture(autouse=True)
def what_holds_in_the_core_holds_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    broken = invariants.hold_in(Daemon, monkeypatch)
    yield
    assert broken == []


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    paths = DaemonPaths("test", tmp_path / "control.sock", tmp_path, CACHE, tmp_path / "run")
    application = Application(Config(()), paths, lambda _: None, development=False)
    yield application
    await application.close()


async def settled(application: Application, folder: Path, code: str = GOOD) -> Location:
    """A location with this code, after its first attempt."""
    file = folder / "defs.py"
    file.write_text(code)
    policy = Policy(restart="never")
    spec = LocationSpec("x", Target("python_file", str(file)), folder, "test", policy=policy)
    application.apply(Config((spec,)))
    location = application.locations["x"]
    await asyncio.wait_for(location.settled(), 60)
    return location


async def test_a_location_is_served_by_rooms_put_together(
    application: Application, tmp_path: Path
) -> None:
    location = await settled(application, tmp_path)
    assert location.state.phase is Phase.SERVING


async def test_locations_that_start_at_once_do_not_all_build_what_they_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(start_limits, "PATIENCE", 600.0)
    built, build = list[Specification](), Builder.build

    async def counted(builder: Builder, specification: Specification, progress: Any) -> Environment:
        built.append(specification)
        return await build(builder, specification, progress)

    monkeypatch.setattr(Builder, "build", counted)
    store = tmp_path / "store"
    paths = DaemonPaths("test", tmp_path / "control.sock", tmp_path, store, tmp_path / "run")
    application = Application(Config(()), paths, lambda _: None, development=False)
    (tmp_path / "defs.py").write_text(GOOD)
    target = Target("python_file", str(tmp_path / "defs.py"))
    application.apply(
        Config(tuple(LocationSpec(f"x{n}", target, tmp_path, "test") for n in range(8)))
    )
    for location in application.locations.values():
        await asyncio.wait_for(location.settled(), 120)
        assert location.state.phase is Phase.SERVING
    await application.close()
    assert len(built) == 2, "as many as may prepare at once; the others find what was built"


STAYS = """
import ctypes, os, signal, threading
from codeloc import Definitions
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def block():
    while not os.path.exists("block"):
        threading.Event().wait(0.01)
    ctypes.PyDLL(None).sleep(3600)
threading.Thread(target=block, daemon=True).start()
defs = Definitions()
"""
"""A runner that hears nothing any more, once there is a file `block`: C code holds the GIL."""


async def answers(running: Running) -> bool:
    try:
        await running.handle.call("ping", timeout=0.5)
    except RpcError:
        return False
    return True


@pytest.mark.parametrize("timeout", [0.0, 1.0])
async def test_a_stop_under_way_takes_a_new_stop_timeout(
    application: Application, tmp_path: Path, timeout: float
) -> None:
    location = await settled(application, tmp_path, STAYS)
    patient = replace(location.spec, policy=replace(location.spec.policy, stop_timeout=3600.0))
    application.apply(Config((patient,)))
    running = location.serving
    assert running is not None
    (tmp_path / "block").touch()
    while await answers(running):
        pass
    application.daemon.stop(location)
    await asyncio.sleep(0)
    assert location.state.phase is Phase.STOPPING
    hasty = replace(patient, policy=replace(patient.policy, stop_timeout=timeout))
    application.apply(Config((hasty,)))
    await asyncio.wait_for(asyncio.shield(running.handle.exited), 60)


async def test_a_bug_of_ours_fails_the_attempt_that_met_it_and_says_so(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_specification: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(application.store, "find", broken)
    location = await settled(application, tmp_path)
    assert location.state.phase is Phase.FAILED
    assert location.state.problem is not None
    assert location.state.problem.summary == "internal error: RuntimeError: a bug"
    assert "in broken" in location.state.problem.detail


async def test_an_environment_that_was_removed_before_its_use_is_a_failed_start(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(_environment: object) -> None:
        raise EnvironmentProblem("the environment was removed from the store")

    monkeypatch.setattr(application.store, "lease", removed)
    location = await settled(application, tmp_path)
    assert location.state.phase is Phase.FAILED
    assert "removed from the store" in str(location.state.problem)


async def test_a_working_directory_that_is_missing_is_named(
    application: Application, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    spec = LocationSpec("y", Target("module", "m"), missing, "test")
    application.apply(Config((spec,)))
    location = application.locations["y"]
    await asyncio.wait_for(location.settled(), 60)
    assert location.state.problem is not None
    assert str(missing) in location.state.problem.summary


async def test_another_config_is_applied_by_its_difference(
    application: Application, tmp_path: Path
) -> None:
    location = await settled(application, tmp_path)
    renamed = LocationSpec("z", location.spec.target, location.spec.working_directory, "test")
    assert application.apply(Config((renamed,)), dry_run=True).as_json() == {
        "added": ["z"],
        "removed": ["x"],
        "reloaded": [],
        "adjusted": [],
        "changes": {},
    }
    assert set(application.locations) == {"x"}
    application.apply(Config((renamed,)))
    await asyncio.wait_for(location.settled(), 60)
    await asyncio.wait_for(application.locations["z"].settled(), 60)
    assert set(application.locations) == {"z"}
    assert application.publisher.registry.definitions() == []


def spec(folder: Path, **changes: Any) -> LocationSpec:
    return LocationSpec("x", Target("python_file", str(folder / "defs.py")), folder, "", **changes)


async def serving(application: Application, spec: LocationSpec, code: str = GOOD) -> Location:
    (spec.working_directory / "defs.py").write_text(code)
    application.apply(Config((spec,)))
    location = application.locations[spec.name]
    await outcome(application, location)
    assert location.state.phase is Phase.SERVING, location.state.problem
    return location


async def outcome(application: Application, location: Location) -> None:
    await asyncio.wait_for(location.settled(), 60)


async def generation(location: Location, number: int) -> None:
    """Returns when that many runners have served."""
    async with asyncio.timeout(60):
        while location.state.generation < number:
            waiter = asyncio.get_running_loop().create_future()
            location.waiters.add(waiter)
            await waiter
            location.waiters.discard(waiter)


async def test_a_location_that_is_removed_and_added_again_while_it_leaves_comes_back(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path))
    application.apply(Config(()))
    assert location.state.phase is Phase.STOPPING
    application.apply(Config((spec(tmp_path),)))
    await outcome(application, location)
    assert application.locations["x"].state.phase is Phase.SERVING


async def test_another_address_of_an_external_location_is_taken_over(
    application: Application,
) -> None:
    one, two = (LocationSpec("x", GrpcServer(port=port), Path("/"), "") for port in (1, 2))
    application.apply(Config((one,)))
    application.apply(Config((two,)))
    assert application.locations.external == {"x": two}


async def test_another_watch_pattern_counts_at_once(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path))
    application.apply(Config((spec(tmp_path, watch=("*.sql",)),)))
    assert location.state.generation == 1
    (tmp_path / "query.sql").write_text("select 1")
    await generation(location, 2)


async def test_a_daemon_that_ends_starts_nothing_any_more(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path))
    application.daemon.shut_down()
    application.daemon.start(location)
    application.daemon.restart(location)
    application.daemon.reload(location)
    await outcome(application, location)
    assert location.state.phase is Phase.STOPPED


async def test_the_files_of_a_location_that_was_removed_are_closed(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path), f"print('hello')\n{GOOD}")
    log = str(tmp_path / "logs" / "x.log")
    assert log in {file.path for file in psutil.Process().open_files()}
    application.apply(Config(()))
    await outcome(application, location)
    assert log not in {file.path for file in psutil.Process().open_files()}


async def test_reloads_leave_neither_tasks_nor_descriptors_nor_sockets(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path))

    async def held() -> tuple[int, int, int]:
        async with asyncio.timeout(60):
            while location.state.leaving:
                await asyncio.wait(
                    [each.handle.exited for each in location.runners.values()],
                    return_when=asyncio.FIRST_COMPLETED,
                )
        await application._children._orphans.settled()  # whose search has files open for moments
        tasks = len([each for each in asyncio.all_tasks() if "x" in each.get_name().split()])
        return tasks, psutil.Process().num_fds(), len(list((tmp_path / "run").iterdir()))

    for _ in range(2):
        application.daemon.reload(location)
        await outcome(application, location)
    before = await held()
    for _ in range(8):
        application.daemon.reload(location)
        await outcome(application, location)
    async with asyncio.timeout(60):
        while (now := await held()) > before:  # noqa: ASYNC110  a hunt for strays may be under way
            await asyncio.sleep(0.01)
    assert now <= before


async def test_a_stopped_process_leaves_in_good_order_when_its_location_is_stopped(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path))
    assert location.serving is not None
    os.kill(location.serving.handle.pid, signal.SIGSTOP)
    application.daemon.stop(location)
    await outcome(application, location)
    assert location.last_exit is not None
    assert location.last_exit.ended.exit == Exit(status=0)


async def test_sockets_of_runners_are_made_in_a_folder_that_was_removed(
    application: Application, tmp_path: Path
) -> None:
    location = await serving(application, spec(tmp_path))
    shutil.rmtree(tmp_path / "run")
    application.daemon.reload(location)
    await generation(location, 2)


async def test_a_shortage_of_descriptors_is_waited_out(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, failures = application.store.find, [OSError(24, "Too many open files")]

    def short(specification: Specification) -> Environment | None:
        if failures:
            raise failures.pop()
        return find(specification)

    monkeypatch.setattr(application.store, "find", short)
    (tmp_path / "defs.py").write_text(GOOD)
    application.apply(Config((spec(tmp_path),)))
    await generation(application.locations["x"], 1)


async def test_what_is_printed_around_a_build_does_not_break_it(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello from a start-up file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(application.store, "find", lambda _: None)
    bugs = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: bugs.append(context))
    await serving(application, spec(tmp_path))
    assert bugs == []


async def test_a_save_while_the_environment_is_chosen_for_the_first_time_is_not_lost(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, choose, chosen = tmp_path / "pyproject.toml", codeloc_envs.choose, list[str]()

    def slow(*arguments: Any, **named: Any) -> Choice:
        chosen.append(project.read_text() if project.exists() else "")
        choice = choose(*arguments, **named)
        project.write_text("[tool.saved]\n")
        return replace(choice, inputs=(*choice.inputs, project))

    monkeypatch.setattr(preparation, "choose", slow)
    await serving(application, spec(tmp_path, policy=Policy(restart="never")))
    assert chosen[-1] == "[tool.saved]\n"


async def test_an_uptime_does_not_jump_with_the_clock_on_the_wall(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = await serving(application, spec(tmp_path))
    tomorrow = time.time() + 86400.0
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    uptime = status.location(location, application.publisher.registry)["uptime"]
    assert uptime is not None
    assert uptime < 86400


async def test_a_shortage_of_descriptors_at_a_start_is_waited_out(
    application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, failures = application.store.lease, [OSError(24, "Too many open files")]

    def short(environment: Environment) -> Lease:
        if failures:
            raise failures.pop()
        return lease(environment)

    monkeypatch.setattr(application.store, "lease", short)
    (tmp_path / "defs.py").write_text(GOOD)
    application.apply(Config((spec(tmp_path),)))
    await generation(application.locations["x"], 1)
