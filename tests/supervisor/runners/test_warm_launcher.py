"""When a runner is forked, when a spare serves, and when it starts on its own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from codelocd.runners import api
from codelocd.runners.warm.interpreter import WarmInterpreter
from codelocd.runners.warm.profile import ImportProfile
from codelocd.runners.warm.profiles import ImportProfiles
from tests.supervisor.runners.launching import DEADLINE, installed, telling, until


async def test_the_first_start_is_cold_and_the_next_is_forked(bench, newest):
    spec = bench.spec(newest, telling("import decimal\ntold = 1"))
    first, second = await bench.load(spec, "auto"), await bench.load(spec, "auto")
    assert (first.runner.start_method, first.runner.why) == (
        "spawn",
        "no warm interpreter was ready",
    )
    assert second.runner.start_method == "fork"
    assert second.runner.why == "nothing that it imports forbids it"
    assert "decimal" in bench.profiles.of("key").locations["sales"].modules


async def test_a_forked_runner_is_a_child_of_the_daemon_and_outlives_its_fork_server(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "fork")
    (server,) = {pool.ready.pid for pool in bench.pools}
    assert psutil.Process(loaded.runner.pid).ppid() == os.getpid()
    assert os.getsid(loaded.runner.pid) == loaded.runner.pid
    os.kill(server, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(server))
    assert await loaded.runner.call("ping") == {}
    loaded.runner.kill()
    assert (await loaded.runner.exited).signal == signal.SIGKILL
    assert (await bench.load(spec, "fork")).runner.start_method == "fork"


async def test_a_forked_runner_stops_in_good_order(bench, newest):
    source = "import atexit\natexit.register(print, 'bye', flush=True)\ntold = 1"
    spec = bench.spec(newest, telling(source))
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "fork")
    bench.printed.clear()
    await loaded.runner.retire(5, 5)
    assert (await loaded.runner.exited).status == 0
    assert "bye" in "".join(bench.printed)


async def test_a_spare_serves_one_load(bench, newest):
    spec = bench.spec(newest, telling("import os\ntold = os.getpid()"))
    await bench.load(spec, "spawn")
    loads = [await bench.load(spec, "spare") for _ in range(2)]
    assert [load.runner.start_method for load in loads] == ["spare", "spare"]
    assert [load.told for load in loads] == [load.runner.pid for load in loads]
    loads[0].runner.kill()
    assert (await loads[0].runner.exited).signal == signal.SIGKILL
    assert await loads[1].runner.call("ping") == {}


async def test_a_spare_that_cannot_be_the_runner_ends(bench, newest, monkeypatch):
    asked, runner = [], WarmInterpreter.runner

    def asks(spare, *order):
        asked.append(spare)
        return runner(spare, *order)

    monkeypatch.setattr(WarmInterpreter, "runner", asks)
    spec = bench.spec(newest, telling("import decimal\ntold = 1"))
    await bench.load(spec, "spawn")
    (bench.folder / "code" / "decimal.py").write_text("")
    loaded = await bench.load(spec, "spare")
    assert loaded.runner.start_method == "spawn"
    (spare,) = asked
    await until(lambda: not spare.lives)


async def test_where_nothing_can_be_forked_a_spare_does(bench, newest):
    bench.choices._platform = "darwin"
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "auto")
    loaded = await bench.load(spec, "auto")
    assert loaded.runner.start_method == "spare"
    assert "forked safely on darwin" in loaded.runner.why


async def test_spawn_is_taken_at_its_word(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    loads = [await bench.load(spec, method) for method in ("auto", "spawn")]
    assert loads[1].runner.start_method == "spawn"
    assert loads[1].runner.why == 'the config says start_method = "spawn"'


async def test_a_reload_does_not_wait_for_a_warm_interpreter(bench, newest):
    spec = bench.spec(newest, telling("told = 1"), beside=True)
    await bench.load(spec, "auto")
    second = await bench.load(spec, "auto")
    assert second.runner.start_method == "spawn"


async def test_a_load_that_crashes_after_a_fork_starts_again_on_its_own(bench, newest, packages):
    (packages / "fragile.py").write_text("import os\nhome = os.getpid()\n")
    source = (
        "import fragile, os, signal\n"
        "if fragile.home != os.getpid(): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "told = 1"
    )
    spec = installed(bench, newest, packages, telling(source))
    await bench.load(spec, "spawn")
    for count in (1, 2):
        loaded = await bench.load(spec, "auto")
        assert (loaded.told, loaded.runner.start_method) == (1, "spawn")
        assert "was ended by signal 11 while loading after a fork" in loaded.runner.why
        assert len(bench.profiles.of("key").suspicions) == count
    spared = await bench.load(spec, "auto")
    assert spared.runner.start_method == "spare"
    assert "went well without a fork" in spared.runner.why


async def test_code_that_exits_while_it_loads_raises_no_suspicion(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    spec = bench.spec(newest, "import os\nos._exit(7)")
    runner = await bench.launcher.start(replace(spec, start_method="auto"))
    async with asyncio.timeout(DEADLINE):
        assert (await runner.exited).status == 7
    assert bench.profiles.of("key").suspicions == ()


async def test_a_load_that_hangs_after_a_fork_starts_again_on_its_own(bench, newest, packages):
    (packages / "fragile.py").write_text("import os\nhome = os.getpid()\n")
    source = (
        "import fragile, os, threading\n"
        "if fragile.home != os.getpid(): threading.Event().wait()\n"
        "told = 1"
    )
    spec = installed(bench, newest, packages, telling(source), start_timeout=0.5)
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "auto")
    assert (loaded.told, loaded.runner.start_method) == (1, "spawn")
    assert bench.profiles.of("key").suspicions == ("sales did not finish loading after a fork",)


async def test_what_was_learned_survives_a_restart(bench, newest):
    spec = bench.spec(newest, telling("import decimal\ntold = 1"))
    await bench.load(spec, "spawn")
    bench.launcher.close()
    again = ImportProfiles(bench.folder / "warm")
    assert again.of("key") == bench.profiles.of("key")


async def test_a_long_load_is_no_hang_after_a_restart_either(bench, newest, monkeypatch):
    """What it took without a fork is known from the daemon before."""
    monkeypatch.setattr(api, "HANG_SECONDS", 0.2)
    spec = bench.spec(newest, telling("import time\ntime.sleep(0.5)\ntold = 1"))
    await bench.load(spec, "spawn")
    bench.profiles.write()
    bench.profiles.__init__(bench.folder / "warm")
    loaded = await bench.load(spec, "fork")
    assert loaded.runner.start_method == "fork"
    assert bench.profiles.of("key").suspicions == ()


async def test_a_relative_search_path_starts_it_cold(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    spec = replace(spec, variables={**spec.variables, "PYTHONPATH": "lib:/abs"})
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "auto")
    assert loaded.runner.start_method == "spawn"
    assert loaded.runner.why == "PYTHONPATH has the relative entry 'lib'"


async def test_what_is_idle_or_in_the_way_is_retired(bench, newest, monkeypatch):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    await bench.load(spec, "fork")
    (pool,) = bench.pools
    server = psutil.Process(pool.ready.pid)
    bench.pools.look_after()
    assert pool.ready is not None
    bench.pools._idle = 0.0
    bench.pools.look_after()
    assert pool.ready is None
    await until(lambda: not server.is_running())


async def test_what_is_warm_ends_on_time_by_the_setting_of_the_moment(bench, newest):
    """The first look is a minute away, and the test's own deadline nearer."""
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    await bench.load(spec, "fork")
    (pool,) = bench.pools
    server = psutil.Process(pool.ready.pid)
    bench.launcher.keep_for(0.2)
    await until(lambda: pool.ready is None)
    await until(lambda: not server.is_running())


async def test_a_working_directory_that_is_gone_is_said_as_by_a_cold_start(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    with pytest.raises(FileNotFoundError):
        await bench.load(replace(spec, working_directory=Path("/nowhere")), "fork")


async def test_many_reloads_leave_nothing_behind(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    (await bench.load(spec, "fork")).runner.kill()
    (pool,) = bench.pools
    processes = [psutil.Process(), psutil.Process(pool.ready.pid)]

    def counted() -> list[int]:
        return [each.num_fds() for each in processes] + [len(processes[1].children())]

    async def forked() -> None:
        loaded = await bench.load(spec, "fork")
        assert loaded.runner.start_method == "fork"
        loaded.runner.kill()
        await loaded.runner.exited
        loaded.runner._runner._peer.close()

    await forked()
    before = counted()
    for _ in range(30):
        await forked()
    await until(lambda: counted() <= before)
    assert processes[1].num_threads() == 1


async def test_what_was_learned_of_an_environment_that_is_no_longer_used_is_forgotten(tmp_path):
    folder = tmp_path / "warm"
    memory = ImportProfiles(folder)
    for name in ("used", "unused", "recent"):
        memory.keep(name, ImportProfile(suspicions=("it hung",)))
    memory.write()
    then = time.time() - 15 * 86400.0
    for name in ("used", "unused"):
        os.utime(folder / f"{name}.json", (then, then))
    again = ImportProfiles(folder)
    assert again.of("used").suspicions == ("it hung",)
    again.forget_unused()
    assert {path.name for path in folder.iterdir()} == {"used.json", "recent.json"}
