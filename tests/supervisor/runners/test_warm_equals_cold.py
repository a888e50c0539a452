"""What user code meets in a process that was forked, or taken from a spare, as in a fresh one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.supervisor.runners.launching import installed, telling

METHODS = ("fork", "spare")

SURROUNDINGS = Path(__file__).with_name("what_user_code_meets.py").read_text()


@pytest.mark.parametrize("method", METHODS)
async def test_user_code_finds_around_it_what_a_fresh_start_has(bench, python: Path, method: str):
    spec = bench.spec(python, telling(SURROUNDINGS))
    variables = {**spec.variables, "TZ": "Asia/Tokyo", "REGION": "eu", "LC_ALL": "C.UTF-8"}
    spec = replace(spec, variables=variables)
    cold = await bench.load(spec, "spawn")
    warm = await bench.load(spec, method)
    assert (cold.runner.start_method, warm.runner.start_method) == ("spawn", method)
    assert warm.told == cold.told


@pytest.mark.parametrize("method", METHODS)
async def test_a_warm_start_gives_the_same_snapshot(bench, version: Path, method: str):
    source = telling("import decimal, email.message\ntold = 1")
    spec = bench.spec(version, source)
    cold, warm = await bench.load(spec, "spawn"), await bench.load(spec, method)
    for snapshot in (cold.snapshot, warm.snapshot):
        assert snapshot.load_seconds > 0
    assert replace(warm.snapshot, load_seconds=0) == replace(cold.snapshot, load_seconds=0)


@pytest.mark.parametrize("method", METHODS)
async def test_what_packages_do_to_the_interpreter_is_as_after_a_cold_start(
    bench, extreme: Path, packages: Path, method: str
):
    (packages / "odd.py").write_text(
        "import __main__, sys\nsys.path.insert(0, '/first')\nsys.path.append('/last')"
    )
    source = (
        "import multiprocessing.process, odd, sys\n"
        "told = sys.path, odd.__main__ is sys.modules['__main__'],\\\n"
        "  multiprocessing.process.ORIGINAL_DIR\n"
    )
    spec = installed(bench, extreme, packages, telling(source))
    cold, warm = await bench.load(spec, "spawn"), await bench.load(spec, method)
    assert warm.runner.start_method == method
    path, same, directory = warm.told
    assert (path[0], path[-1], same, directory) == ("/first", "/last", True, path[1])
    assert warm.told == cold.told


async def test_what_is_random_differs_between_forks(bench, version: Path):
    spec = bench.spec(
        version,
        telling(
            "import multiprocessing.process, os, random, secrets, ssl, tempfile, uuid\n"
            "told = [random.random(), secrets.token_hex(), ssl.RAND_bytes(8).hex(),\n"
            "  str(uuid.uuid4()), next(tempfile._get_candidate_names()),\n"
            "  multiprocessing.process.current_process().authkey.hex()]\n"
        ),
    )
    loads = [await bench.load(spec, method) for method in ("spawn", "fork", "fork")]
    assert [load.runner.start_method for load in loads] == ["spawn", "fork", "fork"]
    for values in zip(*(load.told for load in loads), strict=True):
        assert len(set(values)) == 3


async def test_the_hash_seed_is_that_of_the_fork_server(bench, version: Path):
    """One secret per fork server: `str` hashes are equal in its runners, and no other's."""
    spec = bench.spec(version, telling("told = hash('sales')"))
    loads = [await bench.load(spec, method) for method in ("spawn", "fork", "fork", "spare")]
    cold, first, second, spare = (load.told for load in loads)
    assert first == second
    assert len({cold, first, spare}) == 3


async def test_a_hash_seed_that_is_configured_counts(bench, extreme: Path):
    spec = bench.spec(extreme, telling("told = hash('sales')"))
    spec = replace(spec, variables={**spec.variables, "PYTHONHASHSEED": "7"})
    loads = [await bench.load(spec, method) for method in ("spawn", "fork", "spare")]
    assert len({load.told for load in loads}) == 1


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
async def test_multiprocessing_works_with_every_start_method(
    bench, extreme: Path, start_method: str
):
    spec = bench.spec(
        extreme,
        telling(
            "import multiprocessing, operator\n"
            f"with multiprocessing.get_context({start_method!r}).Pool(1) as pool:\n"
            "    told = pool.map(operator.neg, [1, 2])\n"
        ),
    )
    loads = [await bench.load(spec, method) for method in ("spawn", "fork", "spare")]
    assert [load.runner.start_method for load in loads] == ["spawn", "fork", "spare"]
    assert [load.told for load in loads] == [[-1, -2]] * 3


@pytest.mark.parametrize("method", METHODS)
async def test_what_is_registered_for_the_end_runs_once_in_the_runner_alone(
    bench, version: Path, method: str
):
    """Those of packages among them, the newest first; never in a fork server or its helpers."""
    installed = bench.folder / "site-packages"
    installed.mkdir()
    (installed / "odd.py").write_text("import threads")  # so that packages are tried in children
    (installed / "threads.py").write_text("import os; kept = os.pipe()")
    told = bench.folder / "ends"
    (installed / "ends.py").write_text(
        "import atexit, os\n"
        "def end(word):\n"
        f"    with open({str(told)!r}, 'a') as file: print(os.getpid(), word, file=file)\n"
        "for word in ('first', 'second'): atexit.register(end, word)\n"
    )
    source = "import atexit, ends\natexit.register(ends.end, 'own')\ntold = atexit._ncallbacks()"
    trial = bench.spec(version, telling("import odd, ends\ntold = 1"))
    spec = replace(trial, variables={**trial.variables, "PYTHONPATH": str(installed)})
    if method == "fork":
        await bench.load(spec, "spawn")
        await bench.load(spec, "fork")
    spec = replace(bench.spec(version, telling(source)), variables=spec.variables)
    loads = [await bench.load(spec, one) for one in ("spawn", method)]
    for load in loads:
        await load.runner.retire(5, 5)
    for pool in bench.pools:
        pool.close()
    assert loads[1].runner.start_method == method
    assert loads[0].told == loads[1].told
    words = ("own", "second", "first")
    ends = [f"{load.runner.pid} {word}" for load in loads for word in words]
    assert told.read_text().splitlines() == ends


async def test_output_goes_to_the_locations_own_log(bench, extreme: Path):
    spec = bench.spec(extreme, telling("import os\nprint('hello')\nos.write(1, b'raw')\ntold = 1"))
    await bench.load(spec, "spawn")
    bench.printed.clear()
    loaded = await bench.load(spec, "fork")
    loaded.runner.kill()
    await loaded.runner.exited
    assert loaded.runner.start_method == "fork"
    assert "".join(bench.printed) == "hello\nraw"
