"""Warm interpreters that are killed, stopped, out of memory, or no longer wanted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import Any

import psutil
import pytest

from codelocd.runners.api import LoadedOutcome
from codelocd.runners.warm import pool as warm_pool
from codelocd.runners.warm.profile import ImportProfile
from codelocd.runners.warm.profiles import ImportProfiles
from tests.supervisor.runners.launching import DEADLINE, installed, outcome, telling, until

SLOW = "import time; time.sleep(0.3)"
GATED = """
import os, time
while os.path.exists({gate!r}):
    open({began!r}, "w").close()
    time.sleep(0.01)
"""


async def preloading(bench, signal_number):
    """The one place, when the interpreter that is in work there has got the signal."""
    (pool,) = bench.pools
    await until(lambda: pool._in_work is not None)
    os.kill(pool._in_work.pid, signal_number)
    return pool


async def test_one_that_is_killed_while_it_preloads_is_replaced(bench, newest, packages):
    (packages / "slow.py").write_text(SLOW)
    spec = installed(bench, newest, packages, telling("import slow\ntold = 1"), beside=True)
    await bench.load(spec, "auto")
    pool = await preloading(bench, signal.SIGKILL)
    await until(lambda: pool.ready is not None)
    assert (await bench.load(spec, "auto")).runner.start_method == "fork"


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_a_start_goes_well_while_a_preload_is_given_up_for_it(
    bench, newest, packages, method
):
    """What the start opens gets the numbers of the descriptors that the preload had."""
    gate, began = packages / "gate", packages / "began"
    (packages / "slow.py").write_text(GATED.format(gate=str(gate), began=str(began)))
    spec = installed(bench, newest, packages, telling("import slow\ntold = 1"))
    await bench.load(spec, "spare")
    gate.touch()
    (pool,) = bench.pools
    pool.refresh(0)
    await until(began.exists)
    gate.unlink()
    assert (await bench.load(spec, method)).told == 1


async def test_a_package_that_ends_the_process_is_found_out(bench, newest, packages):
    (packages / "deadly.py").write_text("import os, sys\nif not sys.argv[0]: os._exit(3)")
    spec = installed(bench, newest, packages, telling("import deadly\ntold = 1"))
    await bench.load(spec, "auto")
    assert (await bench.load(spec, "auto")).told == 1
    assert "ended the process" in bench.profiles.of("key").cold["deadly"]


async def test_a_start_does_not_wait_for_ever(bench, newest, packages, monkeypatch):
    (packages / "slow.py").write_text(SLOW)
    spec = installed(bench, newest, packages, telling("import slow\ntold = 1"))
    await bench.load(spec, "auto")
    monkeypatch.setattr(warm_pool, "PATIENCE", 0.1)
    await preloading(bench, signal.SIGSTOP)
    assert (await bench.load(spec, "auto")).runner.start_method == "spawn"


STRAY = """
import os, pathlib
if not os.fork():
    os.setsid()
    if not os.fork():
        pathlib.Path("stray").write_text(str(os.getpid()))
        os.closerange(3, 1000)
        import time
        time.sleep(600)
    os._exit(0)
os.wait()
while not pathlib.Path("stray").exists(): pass
told = 1
"""


@pytest.mark.skipif(sys.platform != "linux", reason="who descends from whom is read from /proc")
@pytest.mark.parametrize("method", ["auto", "spare"])
async def test_a_fork_of_a_fork_in_a_session_of_its_own_ends_with_its_runner(
    bench, extreme, method
):
    await bench.load(bench.spec(extreme, telling("told = 1")), method)
    spec = bench.spec(extreme, telling(STRAY))
    await until(lambda: all(pool.ready for pool in bench.pools))
    loaded = await bench.load(spec, method)
    assert loaded.runner.start_method == {"auto": "fork"}.get(method, method)
    stray = psutil.Process(int((spec.working_directory / "stray").read_text()))
    neighbour = await bench.load(
        replace(bench.spec(extreme, telling("told = 2")), location="other"), method
    )
    await loaded.runner.retire(1.0, 1.0)
    await asyncio.to_thread(stray.wait, DEADLINE)
    assert not neighbour.runner.exited.done()


NO_SECOND = """
import os
fork, calls = os.fork, []

def short():
    calls.append(1)
    if len(calls) == 2:
        raise OSError(11, "short of processes")
    return fork()

os.fork = short
"""


async def test_where_a_fork_fails_halfway_that_is_said_and_no_more(bench, newest, packages):
    (packages / "short.py").write_text(NO_SECOND)
    spec = installed(bench, newest, packages, telling("import short\ntold = 1"))
    await bench.load(spec, "auto")
    loaded = await bench.load(spec, "auto")
    assert loaded.runner.start_method == "spawn"
    assert loaded.runner.why == "it cannot fork: [Errno 11] short of processes"
    (pool,) = bench.pools
    assert pool.ready.lives


async def test_what_failed_is_tried_again_after_a_while(bench, newest, packages, monkeypatch):
    (packages / "slow.py").write_text(SLOW)
    spec = installed(bench, newest, packages, telling("import slow\ntold = 1"), beside=True)
    await bench.load(spec, "spare")
    pool = await preloading(bench, signal.SIGKILL)
    await until(lambda: pool._preparing is None)
    assert pool._lacking() is None
    assert (await bench.load(spec, "spare")).runner.why == warm_pool.NOT_IMPORTED
    monkeypatch.setattr(warm_pool, "AGAIN", 0.0)
    await bench.load(spec, "spare")
    await until(lambda: pool.ready is not None)


async def test_nothing_is_preloaded_while_memory_is_short(bench, newest, monkeypatch):
    monkeypatch.setattr(warm_pool, "is_short_of_memory", lambda: True)
    spec = bench.spec(newest, telling("told = 1"))
    loads = [await bench.load(spec, "auto") for _ in range(2)]
    assert [load.runner.start_method for load in loads] == ["spawn", "spawn"]
    assert loads[1].runner.why == "no warm interpreter could be started: Cannot allocate memory"
    monkeypatch.setattr(warm_pool, "is_short_of_memory", lambda: False)
    assert (await bench.load(spec, "auto")).runner.start_method == "fork"


async def test_what_becomes_ready_late_is_looked_after_too(bench, newest, monkeypatch):
    spec = bench.spec(newest, telling("told = 1"), beside=True)
    await bench.load(spec, "auto")
    bench.pools._next_look.cancel()
    bench.pools._look_again()
    assert bench.pools._next_look is not None


async def test_variables_learned_while_a_start_waits_decide_who_shares(bench, newest, packages):
    (packages / "reads.py").write_text("import os; seen = os.environ.get('REGION')")
    spec = installed(bench, newest, packages, telling("import reads\ntold = reads.seen"))

    def located(region):
        return replace(spec, location=region, variables={**spec.variables, "REGION": region})

    loads = await asyncio.gather(*(bench.load(located(each), "auto") for each in ("eu", "us")))
    assert [load.told for load in loads] == ["eu", "us"]


async def test_what_is_learned_while_one_preloads_is_preloaded_too(bench, newest, packages):
    (packages / "slow.py").write_text(SLOW)
    source = telling("import sys\ntold = 'colorsys' in sys.modules\nimport slow")
    spec = installed(bench, newest, packages, source, beside=True)
    await bench.load(spec, "auto")
    pool = await preloading(bench, signal.SIGSTOP)
    former = pool._in_work.pid
    installed(bench, newest, packages, source + "\nimport colorsys")
    await bench.load(spec, "auto")
    os.kill(former, signal.SIGCONT)
    await until(lambda: pool._preparing is None)
    assert (await bench.load(spec, "auto")).told


async def forgotten(bench, spec):
    bench.launcher.forget(spec.location)


async def on_its_own(bench, spec):
    await bench.load(spec, "spawn")


@pytest.mark.parametrize("leaves", [forgotten, on_its_own])
async def test_what_a_location_imports_counts_no_longer_than_it(bench, newest, packages, leaves):
    (packages / "kept.py").write_text("")
    spec = installed(bench, newest, packages, telling("import kept\ntold = 1"))
    await bench.load(spec, "spawn")
    await bench.load(spec, "fork")
    plain = bench.spec(newest, telling("told = 1"))
    other = replace(plain, location="other", variables=spec.variables)
    await bench.load(other, "spawn")
    await bench.load(other, "fork")
    (pool,) = bench.pools
    await until(lambda: "kept" not in held(pool))
    await leaves(bench, other)
    await until(lambda: "kept" in held(pool))


def held(pool):
    return pool.ready.imports.modules if pool.ready is not None else ()


async def test_what_is_installed_ends_suspicions_of_what_was(bench, newest):
    virtualenv = bench.folder / "venv"
    subprocess.run([newest, "-m", "venv", "--without-pip", virtualenv], check=True)
    spec = bench.spec(virtualenv / "bin" / "python", telling("told = 1"))
    await bench.load(spec, "auto")
    for _ in range(2):
        bench.launcher.suspect(spec, "it crashed")
    assert (await bench.load(spec, "auto")).runner.start_method == "spare"
    (packages,) = virtualenv.glob("lib/python3*/site-packages")
    (packages / "fragile-2.0.dist-info").mkdir()
    assert (await bench.load(spec, "auto")).runner.start_method == "fork"
    assert bench.profiles.of("key").suspicions == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"cold": ["numpy"]},
        {"cold": {"numpy": 1}},
        {"suspicions": "it"},
        {"variables": None},
        {"installed": None},
        {"locations": {"sales": {"modules": [1], "named": []}}},
        {"locations": []},
    ],
)
def test_a_list_that_is_no_list_of_ours_counts_as_none(tmp_path, changes):
    content: dict[str, Any] = {
        "locations": {},
        "cold": {"numpy": "why"},
        "suspicions": [],
        "variables": [],
    }
    content["installed"] = 1
    file = tmp_path / "key.json"
    file.write_text(json.dumps(content))
    assert ImportProfiles(tmp_path).of("key") == ImportProfile(cold={"numpy": "why"}, installed=1)
    file.write_text(json.dumps({**content, **changes}))
    assert ImportProfiles(tmp_path).of("key") == ImportProfile()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"null", b"[" * 100_000])
def test_a_list_that_nobody_can_read_counts_as_none(tmp_path, content):
    (tmp_path / "key.json").write_bytes(content)
    assert ImportProfiles(tmp_path).of("key") == ImportProfile()


@pytest.mark.parametrize("method", ["auto", "spawn"])
async def test_a_runner_whose_socket_is_removed_before_it_is_asked_is_reached(
    bench, newest, method
):
    source = telling("told = 1")
    await bench.load(bench.spec(newest, source), method)
    runner = await bench.launcher.start(bench.spec(newest, source, start_method=method))
    for path in (bench.folder / "run").glob("*.sock"):
        path.unlink()
    assert isinstance(await outcome(runner), LoadedOutcome)
    runner.kill()
    await runner.exited
