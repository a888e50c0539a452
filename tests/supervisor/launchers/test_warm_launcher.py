"""When a runner is forked, when a spare serves, and when it starts on its own."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from launching import DEADLINE, Bench, interpreter, telling, until

from codelocd.launchers.memory import Memory
from codelocd.launchers.warm_interpreter import WarmInterpreter

PRELOADED = "import sys\ntold = sorted(n for n in sys.modules if n.partition('.')[0] in {names!r})"


@pytest.fixture
def newest() -> Path:
    return interpreter("3.13")


@pytest.fixture
def packages(bench: Bench) -> Path:
    """A folder of installed packages, which `installed` puts on the path."""
    folder = bench.folder / "site-packages"
    folder.mkdir()
    return folder


def installed(bench: Bench, python: Path, folder: Path, source: str, **changes):
    spec = bench.spec(python, source)
    return replace(spec, variables={**spec.variables, "PYTHONPATH": str(folder)}, **changes)


async def test_the_first_start_is_cold_and_the_next_is_forked(bench, newest):
    spec = bench.spec(newest, telling("import decimal\ntold = 1"))
    first, second = await bench.load(spec, "auto"), await bench.load(spec, "auto")
    assert (first.runner.start_method, first.runner.why) == (
        "spawn",
        "no warm interpreter was ready",
    )
    assert second.runner.start_method == "fork"
    assert second.runner.why == "nothing that it imports forbids it"
    assert "decimal" in bench.memory.of("key").locations["sales"].modules


async def test_a_forked_runner_is_a_child_of_the_daemon_and_outlives_its_fork_server(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "fork")
    (server,) = {place.slot.ready.pid for place in bench.places}
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
    bench.launcher._platform = "darwin"
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


async def test_no_module_of_the_users_own_sources_is_preloaded(bench, newest, packages):
    """Not the location's, not an editable install, not a dependency from a folder."""
    (packages / "public.py").write_text("")
    (packages / "local.py").write_text("")
    info = packages / "local-1.dist-info"
    info.mkdir()
    (info / "direct_url.json").write_text('{"url": "file:///home/ada/local", "dir_info": {}}')
    (info / "RECORD").write_text("local.py,,\nlocal-1.dist-info/RECORD,,\n")
    elsewhere = bench.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "editable.py").write_text("")
    (packages / "editable.pth").write_text(f"{elsewhere}\n")
    names = {"public", "local", "editable", "beside"}
    source = PRELOADED.format(names=names) + "\nimport public, local, editable, beside"
    spec = installed(bench, newest, packages, telling(source))
    (bench.folder / "code" / "beside.py").write_text("")
    path = spec.variables["PYTHONPATH"] + f":{elsewhere}"
    spec = replace(spec, variables={**spec.variables, "PYTHONPATH": path})
    cold, warm = await bench.load(spec, "spawn"), await bench.load(spec, "fork")
    assert warm.runner.start_method == "fork"
    assert (cold.told, warm.told) == ([], ["public"])


async def test_a_location_that_is_an_installed_module_is_never_preloaded(bench, newest, packages):
    (packages / "mine").mkdir()
    (packages / "mine" / "__init__.py").write_text(
        "import sys; before = 'mine.parts' in sys.modules"
    )
    (packages / "mine" / "parts.py").write_text("")
    source = "import mine\ntold = mine.before\nimport mine.parts"
    (packages / "mine" / "defs.py").write_text(telling(source))
    spec = installed(bench, newest, packages, "")
    spec = replace(spec, target=replace(spec.target, kind="module", value="mine.defs"))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork")]
    assert loads[1].runner.start_method == "fork"
    assert [load.told for load in loads] == [False, False]


async def test_a_module_of_its_own_that_shadows_a_shared_one_starts_it_cold(bench, newest):
    spec = bench.spec(newest, telling("import decimal\ntold = decimal.__file__"))
    await bench.load(spec, "spawn")
    own = bench.folder / "code" / "decimal.py"
    own.write_text("")
    loaded = await bench.load(spec, "fork")
    assert loaded.runner.start_method == "spawn"
    assert (
        loaded.runner.why == "its own decimal stands before the module decimal of the environment"
    )
    assert loaded.told == str(own)


async def test_a_package_upgraded_in_place_is_loaded_anew(bench, newest, packages):
    (packages / "lib.py").write_text("VERSION = 1")
    spec = installed(bench, newest, packages, telling("import lib\ntold = lib.VERSION"))
    await bench.load(spec, "spawn")
    assert (await bench.load(spec, "fork")).told == 1
    (packages / "lib.py").write_text("VERSION = 22")
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (22, "spawn")
    assert "lib.py has changed since it was preloaded" in loaded.runner.why
    loaded = await bench.load(spec, "fork")
    assert (loaded.told, loaded.runner.start_method) == (22, "fork")


async def test_a_new_pth_file_retires_the_fork_server(bench, newest, packages):
    spec = installed(bench, newest, packages, telling("told = 1"))
    await bench.load(spec, "spawn")
    await bench.load(spec, "fork")
    (packages / "new.pth").write_text("")
    loaded = await bench.load(spec, "fork")
    assert loaded.runner.start_method == "spawn"
    assert "site-packages has changed" in loaded.runner.why


async def test_a_package_that_starts_a_thread_is_found_out_and_a_spare_serves(
    bench, newest, packages
):
    (packages / "threads.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    (packages / "above.py").write_text("import threads")
    (packages / "harmless.py").write_text("")
    source = "import harmless, above\nimport threading\ntold = threading.active_count()"
    spec = installed(bench, newest, packages, telling(source))
    await bench.load(spec, "spawn")
    loaded = await bench.load(spec, "auto")
    assert bench.memory.of("key").cold == {
        "threads": "it started 1 thread",
        "above": "it imports threads",
    }
    loaded = await bench.load(spec, "auto")
    assert (loaded.runner.start_method, loaded.told) == ("spare", 2)
    assert "it started 1 thread" in loaded.runner.why or "imports threads" in loaded.runner.why


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import socket; s = socket.socket()", "it opened socket"),
        ("import os; p = os.pipe()", "it opened pipe"),
        ("import os; os.chdir('/tmp')", "it changed the working directory"),
        ("import os; os.umask(0o11)", "it changed the umask"),
        ("import os; os.environ['HOME'] = '/x'", "it changed the variable HOME"),
        ("import signal; signal.signal(signal.SIGUSR1, print)", "it handles signal 10"),
        ("import subprocess; p = subprocess.Popen(['sleep', '60'])", "it started a process"),
        ("import below", "it imports your own below"),
        ("f = open(__file__)", "it opened /"),
        ("import tempfile; t = tempfile.TemporaryDirectory()", "it removes files when"),
        ("import atexit, os; atexit.register(os.rmdir, '/nowhere')", "it removes files when"),
        (
            "import atexit, shutil; atexit.register(lambda: shutil.rmtree('/nowhere', True))",
            "it removes files when",
        ),
    ],
)
async def test_what_a_fork_cannot_share_is_named(bench, newest, packages, statement, reason):
    (packages / "odd.py").write_text(statement)
    spec = installed(bench, newest, packages, telling("import odd\ntold = 1"))
    below = bench.folder / "below"
    below.mkdir()
    (below / "below.py").write_text("")
    path = f"{packages}:{below}"
    spec = replace(spec, variables={**spec.variables, "PYTHONPATH": path})
    await bench.load(spec, "spawn")
    await bench.load(spec, "auto")
    assert bench.memory.of("key").cold["odd"].startswith(reason)


async def test_what_packages_registered_for_forks_and_for_the_end_forbids_nothing_and_is_counted(
    bench, extreme, packages
):
    (packages / "careful.py").write_text(
        "import atexit, os\n"
        "for word in ('first', 'second'): atexit.register(print, word, os.getpid())\n"
        "os.register_at_fork(after_in_child=int)\n"
    )
    spec = installed(bench, extreme, packages, telling("import careful\ntold = 1"))
    cold = await bench.load(spec, "spawn")
    warm = await bench.load(spec, "auto")
    assert (cold.runner.hooks, warm.runner.start_method) == (None, "fork")
    hooks = warm.runner.hooks
    assert (hooks.at_exit["careful"], hooks.at_fork["careful"]) == (2, 1)


async def test_a_variable_that_an_import_sets_is_set_in_each_runner(bench, newest, packages):
    (packages / "sets.py").write_text("import os; os.environ.setdefault('SET_BY_IMPORT', 'x')")
    source = (
        "import os, sets\n"
        "told = os.environ['SET_BY_IMPORT'], os.popen('env').read().count('SET_BY')\n"
    )
    spec = installed(bench, newest, packages, telling(source))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork")]
    assert loads[1].runner.start_method == "fork"
    assert [load.told for load in loads] == [["x", 1], ["x", 1]]


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
        assert len(bench.memory.of("key").suspicions) == count
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
    assert bench.memory.of("key").suspicions == ()


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
    assert bench.memory.of("key").suspicions == ("sales did not finish loading after a fork",)


async def test_locations_of_one_environment_share_what_all_of_them_import(bench, newest, packages):
    for name in ("one", "two", "both"):
        (packages / f"{name}.py").write_text("")
    names = {"one", "two", "both"}
    told = PRELOADED.format(names=names)
    first = installed(bench, newest, packages, telling(told + "\nimport both, one"))
    second = replace(
        installed(bench, newest, packages, telling(told + "\nimport both, two")), location="other"
    )
    for imports in ("one", "two"):
        code = bench.folder / "code" / f"{imports}_defs.py"
        code.write_text(telling(told + f"\nimport both, {imports}"))
    first, second = (
        replace(
            spec, target=replace(spec.target, value=str(bench.folder / "code" / f"{n}_defs.py"))
        )
        for spec, n in ((first, "one"), (second, "two"))
    )
    for spec in (first, second):
        await bench.load(spec, "spawn")
    loads = await asyncio.gather(bench.load(first, "fork"), bench.load(second, "fork"))
    assert [load.runner.start_method for load in loads] == ["fork", "fork"]
    assert [load.told for load in loads] == [["both"], ["both"]]
    assert len(list(bench.places)) == 1


async def test_a_package_that_is_no_longer_named_is_forgotten(bench, newest, packages):
    for name in ("kept", "dropped"):
        (packages / f"{name}.py").write_text("")
    told = PRELOADED.format(names={"kept", "dropped"})
    spec = installed(bench, newest, packages, telling(told + "\nimport kept, dropped"))
    await bench.load(spec, "spawn")
    assert (await bench.load(spec, "fork")).told == ["dropped", "kept"]
    spec = installed(bench, newest, packages, telling(told + "\nimport kept"))
    while (loaded := await bench.load(spec, "fork")).told != ["kept"]:
        loaded.runner.kill()
    assert loaded.runner.start_method == "fork"


async def test_what_was_learned_survives_a_restart(bench, newest):
    spec = bench.spec(newest, telling("import decimal\ntold = 1"))
    await bench.load(spec, "spawn")
    bench.launcher.close()
    again = Memory(bench.folder / "warm")
    assert again.of("key") == bench.memory.of("key")


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
    (place,) = bench.places
    server = psutil.Process(place.slot.ready.pid)
    bench.places.look_after()
    assert place.slot.ready is not None
    bench.places._idle = 0.0
    bench.places.look_after()
    assert place.slot.ready is None
    await until(lambda: not server.is_running())


async def test_a_working_directory_that_is_gone_is_said_as_by_a_cold_start(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    with pytest.raises(FileNotFoundError):
        await bench.load(replace(spec, working_directory=Path("/nowhere")), "fork")


async def test_a_variable_that_imports_read_decides_who_shares(bench, newest, packages):
    (packages / "reads.py").write_text("import os; seen = os.environ.get('REGION')")
    source = "import os, reads\ntold = reads.seen, os.environ['OTHER']"
    spec = installed(bench, newest, packages, telling(source))

    def located(name, region, other):
        variables = {**spec.variables, "REGION": region, "OTHER": other}
        return replace(spec, location=name, variables=variables)

    first, same = located("first", "eu", "1"), located("same", "eu", "2")
    another = located("another", "us", "3")
    await bench.load(first, "spawn")
    assert {"REGION"} == bench.memory.of("key").variables & {"REGION", "OTHER"}
    loads = await asyncio.gather(*(bench.load(each, "fork") for each in (first, same, another)))
    assert [load.told for load in loads] == [["eu", "1"], ["eu", "2"], ["us", "3"]]
    assert [set(place.locations) for place in bench.places] == [{"first", "same"}, {"another"}]


async def test_many_reloads_leave_nothing_behind(bench, newest):
    spec = bench.spec(newest, telling("told = 1"))
    await bench.load(spec, "spawn")
    (await bench.load(spec, "fork")).runner.kill()
    (place,) = bench.places
    processes = [psutil.Process(), psutil.Process(place.slot.ready.pid)]

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
